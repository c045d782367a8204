// Package space is the bucket that images pass through and that records live in: a
// DigitalOcean Space, or any other S3.
package space

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// Config says which bucket, and how to get at it.
type Config struct {
	Bucket string
	// Region is the Space's, such as nyc3. It may be empty with an Endpoint.
	Region string
	// Endpoint is any S3's address; default https://<region>.digitaloceanspaces.com.
	Endpoint string
	// Prefix stands before every key. Nothing outside of it is ever touched.
	Prefix    string
	AccessKey string
	SecretKey string
	Transport http.RoundTripper // nil: one with sound time-outs
	Now       func() time.Time  // nil: time.Now
}

// Client talks to one bucket. It is safe for concurrent use. Keys are without the
// prefix everywhere.
type Client struct {
	cfg       Config
	s3        *minio.Client
	core      minio.Core
	pathStyle bool
	http      *http.Client
	// partSize and parallel are how much of an upload is held in memory at once.
	partSize int64
	parallel int
	settle   time.Duration // see settleTime
}

// ErrConfig says that the configuration cannot be used. Nothing was sent.
var ErrConfig = errors.New("the Space is not configured")

// retries is how often a request is sent at most, with up to a second between two.
const retries = 6

// New checks the configuration, all of it at once. It sends nothing.
func New(cfg Config) (*Client, error) {
	endpoint, err := cfg.normalize()
	if err != nil {
		return nil, err
	}
	transport := cfg.Transport
	if transport == nil {
		if transport, err = minio.DefaultTransport(endpoint.Scheme == "https"); err != nil {
			return nil, fmt.Errorf("set up connections to the Space: %w", err)
		}
	}
	pathStyle := !virtualHosts(endpoint.Hostname()) || strings.Contains(cfg.Bucket, ".")
	lookup := minio.BucketLookupDNS
	if pathStyle {
		lookup = minio.BucketLookupPath
	}
	s3, err := minio.New(endpoint.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(cfg.AccessKey, cfg.SecretKey, ""),
		Secure:       endpoint.Scheme == "https",
		Transport:    transport,
		Region:       cfg.Region, // else each first request asks for it
		BucketLookup: lookup,
		MaxRetries:   retries,
		// Checksums in trailers are refused by many that are not Amazon's.
		TrailingHeaders: false,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return &Client{
		cfg: cfg, s3: s3, core: minio.Core{Client: s3}, pathStyle: pathStyle,
		http:     &http.Client{Transport: transport},
		partSize: defaultPartSize, parallel: defaultParallel, settle: settleTime,
	}, nil
}

// Bucket is the bucket's name, for messages.
func (c *Client) Bucket() string { return c.cfg.Bucket }

// normalize fills in what follows from the rest, and tells all that is wrong.
func (cfg *Config) normalize() (*url.URL, error) {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
	}
	if cfg.Bucket == "" {
		fault("no bucket; set space.bucket in snowdrop.yaml")
	} else if err := s3utils.CheckValidBucketName(cfg.Bucket); err != nil {
		fault("bucket %q: %w", cfg.Bucket, err)
	}
	if cfg.AccessKey == "" {
		fault("no access key; set SPACES_ACCESS_KEY_ID")
	}
	if cfg.SecretKey == "" {
		fault("no secret key; set SPACES_SECRET_ACCESS_KEY")
	}
	if cfg.Prefix != "" && !strings.HasSuffix(cfg.Prefix, "/") {
		cfg.Prefix += "/"
	}
	cfg.Prefix = strings.TrimLeft(cfg.Prefix, "/")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	endpoint, err := cfg.endpoint()
	if err != nil {
		faults = append(faults, err)
	}
	return endpoint, errors.Join(faults...)
}

func (cfg *Config) endpoint() (*url.URL, error) {
	address := cfg.Endpoint
	if address == "" {
		if cfg.Region == "" {
			return nil, fmt.Errorf("%w: no region; set space.region (such as nyc3) in snowdrop.yaml", ErrConfig)
		}
		address = "https://" + cfg.Region + spacesDomain
	}
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%w: endpoint %q: %w", ErrConfig, address, err)
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return nil, fmt.Errorf("%w: endpoint %q is not https://host", ErrConfig, address)
	case strings.Trim(u.Path, "/") != "", u.RawQuery != "", u.User != nil:
		return nil, fmt.Errorf("%w: endpoint %q has more than https://host; the bucket goes into space.bucket, "+
			"what stands before keys into space.prefix", ErrConfig, address)
	case cfg.Bucket != "" && virtualHosts(u.Hostname()) && strings.HasPrefix(u.Host, cfg.Bucket+"."):
		return nil, fmt.Errorf("%w: endpoint %q has the bucket's name in it; leave that away: https://%s",
			ErrConfig, address, strings.TrimPrefix(u.Host, cfg.Bucket+"."))
	}
	if cfg.Region == "" {
		cfg.Region = regionOf(u.Hostname())
	}
	return u, nil
}

const (
	spacesDomain  = ".digitaloceanspaces.com"
	defaultRegion = "us-east-1" // what S3s without regions expect in a signature
)

func regionOf(host string) string {
	if region, ok := strings.CutSuffix(host, spacesDomain); ok {
		return region
	}
	return defaultRegion
}

// virtualHosts says whether a bucket is a host below the endpoint. That needs DNS,
// and a certificate, for every bucket: only the two big ones are known to have it;
// bucket names in the path work with every other.
func virtualHosts(host string) bool {
	if net.ParseIP(host) != nil {
		return false
	}
	return strings.HasSuffix(host, spacesDomain) || strings.HasSuffix(host, ".amazonaws.com")
}

func (c *Client) key(key string) string { return c.cfg.Prefix + key }
