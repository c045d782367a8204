package lab

import (
	"net"
	"strings"

	"github.com/versatus/snowdrop/internal/lab/hub"
)

// Env is the environment, NAME=value, that leads snowdrop, rclone and the AWS tools
// to the lab. Values may hold line ends (SSH_PRIVATE_KEY does).
func (l *Lab) Env() []string {
	return []string{
		"DIGITALOCEAN_ACCESS_TOKEN=" + l.cfg.Token,
		"DIGITALOCEAN_API_URL=" + l.APIURL(),
		"SPACES_ACCESS_KEY_ID=" + l.cfg.AccessKey,
		"SPACES_SECRET_ACCESS_KEY=" + l.cfg.SecretKey,
		"SPACES_ENDPOINT_URL=" + l.SpaceURL(),
		"SNOWDROP_SSH_JUMP=" + l.Jump(),
		"SNOWDROP_SSH_JUMP_HOST_KEY=" + l.JumpHostKey(),
		"SSH_PRIVATE_KEY=" + l.privateKey,
		"RCLONE_CONFIG_LAB_TYPE=s3",
		"RCLONE_CONFIG_LAB_PROVIDER=Other",
		"RCLONE_CONFIG_LAB_ACCESS_KEY_ID=" + l.cfg.AccessKey,
		"RCLONE_CONFIG_LAB_SECRET_ACCESS_KEY=" + l.cfg.SecretKey,
		"RCLONE_CONFIG_LAB_ENDPOINT=" + l.SpaceURL(),
		"RCLONE_CONFIG_LAB_REGION=us-east-1",
	}
}

// Hints are commands with which other programs use the lab; they say more than
// variables can: doctl does not read the API's address from its environment.
func (l *Lab) Hints() []string {
	host, port, _ := net.SplitHostPort(l.jump.Addr().String())
	return []string{
		"doctl --api-url " + l.APIURL() + " -t " + l.cfg.Token + " compute droplet list",
		"rclone ls lab:" + l.cfg.Bucket,
		"ssh -i " + l.KeyFile() + " -o ProxyCommand='ssh -i " + l.KeyFile() + " -p " + port + " -W %h:%p lab@" + host + "' root@203.0.113.2",
		"curl -X POST -d boot-failed-unit=web-1 " + l.APIURL() + "/lab/faults",
	}
}

// APIURL is where DigitalOcean's API is.
func (l *Lab) APIURL() string { return l.apiURL }

// SpaceURL is the S3 endpoint; the bucket is the first part of the path.
func (l *Lab) SpaceURL() string { return l.spaceURL }

// GitHubURL is where GitHub is: the API, and pages that show what is in it.
func (l *Lab) GitHubURL() string { return l.githubURL }

// GitHub is the repository, to put commits and pull requests into.
func (l *Lab) GitHub() *hub.Hub { return l.github }

// GitHubEnv is the environment, NAME=value, that leads to the lab's GitHub what
// runs as a workflow does. It is not part of Env: where these names are set, gh
// and other programs take them for the real one's.
func (l *Lab) GitHubEnv() []string {
	return []string{
		"GITHUB_API_URL=" + l.GitHubURL(),
		"GITHUB_SERVER_URL=" + l.GitHubURL(),
		"GITHUB_REPOSITORY=" + l.github.Repository(),
		"GITHUB_TOKEN=" + l.github.Token(),
	}
}

// Bucket is the name of the one bucket.
func (l *Lab) Bucket() string { return l.bucket.Name() }

// Token may do everything.
func (l *Lab) Token() string { return l.cfg.Token }

// Keys are the Space's access key and secret.
func (l *Lab) Keys() (access, secret string) { return l.cfg.AccessKey, l.cfg.SecretKey }

// Jump is the jump host as user@host:port.
func (l *Lab) Jump() string { return "lab@" + l.jump.Addr().String() }

// JumpHostKey is the jump host's public key in authorized_keys form.
func (l *Lab) JumpHostKey() string { return authorizedKey(l.jumpID) }

// PrivateKey is the key that may log in everywhere, in OpenSSH's form.
func (l *Lab) PrivateKey() string { return l.privateKey }

// Getenv looks a variable up in Env, for what takes a func(string) string. Other
// variables are empty.
func (l *Lab) Getenv(name string) string {
	for _, line := range l.Env() {
		if n, v, _ := strings.Cut(line, "="); n == name {
			return v
		}
	}
	return ""
}
