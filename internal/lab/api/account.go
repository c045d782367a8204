package api

import (
	"crypto/md5" //nolint:gosec // DigitalOcean's fingerprints are MD5
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func (s *Server) accountRoutes() []route {
	return []route{
		{"GET /v2/account", []string{"account:read"}, s.account},
		{"GET /v2/account/keys", []string{"ssh_key:read"}, s.listKeys},
		{"POST /v2/account/keys", []string{"ssh_key:create"}, s.createKey},
		{"GET /v2/account/keys/{key}", []string{"ssh_key:read"}, func(c *call) (int, any, error) {
			k, err := s.key(c)
			return 200, map[string]any{"ssh_key": k}, err
		}},
		{"DELETE /v2/account/keys/{key}", []string{"ssh_key:delete"}, func(c *call) (int, any, error) {
			k, err := s.key(c)
			if err != nil {
				return 0, nil, err
			}
			delete(s.keys, k.ID)
			return 204, nil, nil
		}},
		{"GET /v2/regions", []string{"regions:read"}, func(c *call) (int, any, error) { return page(c, "regions", regions()) }},
		{"GET /v2/sizes", []string{"sizes:read"}, func(c *call) (int, any, error) { return page(c, "sizes", sizes()) }},
	}
}

func (s *Server) account(*call) (int, any, error) {
	return 200, map[string]any{"account": map[string]any{
		"droplet_limit": 25, "floating_ip_limit": 5, "reserved_ip_limit": 5, "volume_limit": 10,
		"email": "lab@example.com", "name": "Snowdrop Lab", "uuid": "b6fr89dbf6d9156cace5f3c78dc9851d957381ef",
		"email_verified": true, "status": "active", "status_message": "",
		"team": map[string]string{"uuid": "5df3e3004a17e242b7c20ca6c9fc25b701a47ece", "name": "Lab"},
	}}, nil
}

func (s *Server) listKeys(c *call) (int, any, error) {
	var all []*sshKey
	for _, k := range s.keys {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b *sshKey) int { return a.ID - b.ID })
	return page(c, "ssh_keys", all)
}

func (s *Server) createKey(c *call) (int, any, error) {
	var in struct {
		Name      string `json:"name"`
		PublicKey string `json:"public_key"`
	}
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	fields := strings.Fields(in.PublicKey)
	if in.Name == "" || len(fields) < 2 {
		return 0, nil, unprocessable("Key invalid, key should be of the format `type key [comment]`")
	}
	raw, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil {
		return 0, nil, unprocessable("Key invalid, key should be of the format `type key [comment]`")
	}
	k := &sshKey{ID: s.id(), Name: in.Name, PublicKey: in.PublicKey, Fingerprint: fingerprint(raw)}
	s.keys[k.ID] = k
	return 201, map[string]any{"ssh_key": k}, nil
}

func fingerprint(key []byte) string {
	sum := md5.Sum(key) //nolint:gosec // as above
	return strings.ReplaceAll(fmt.Sprintf("% x", sum), " ", ":")
}

func (s *Server) key(c *call) (*sshKey, error) {
	for _, k := range s.keys {
		if v := c.PathValue("key"); v == strconv.Itoa(k.ID) || v == k.Fingerprint {
			return k, nil
		}
	}
	return nil, notFound()
}

func regions() []region {
	var all []region
	for _, r := range [][2]string{
		{"nyc1", "New York 1"},
		{"nyc3", "New York 3"},
		{"ams3", "Amsterdam 3"},
		{"sfo3", "San Francisco 3"},
		{"sgp1", "Singapore 1"},
		{"lon1", "London 1"},
		{"fra1", "Frankfurt 1"},
		{"tor1", "Toronto 1"},
		{"blr1", "Bangalore 1"},
		{"syd1", "Sydney 1"},
	} {
		all = append(all, region{
			Slug: r[0], Name: r[1], Available: true, Sizes: sizeSlugs(),
			Features: []string{"backups", "ipv6", "metadata", "install_agent", "storage", "image_transfer"},
		})
	}
	return all
}

func regionOf(slug string) region {
	for _, r := range regions() {
		if r.Slug == slug {
			return r
		}
	}
	return region{Slug: slug, Features: []string{}, Sizes: []string{}}
}

func knownRegion(slug string) bool { return slug != "" && regionOf(slug).Name != "" }

func regionSlugs() []string {
	var slugs []string
	for _, r := range regions() {
		slugs = append(slugs, r.Slug)
	}
	return slugs
}

type plan struct {
	slug               string
	memory, cpus, disk int
	monthly            float64
}

func plans() []plan {
	return []plan{
		{"s-1vcpu-512mb-10gb", 512, 1, 10, 4},
		{"s-1vcpu-1gb", 1024, 1, 25, 6},
		{"s-1vcpu-2gb", 2048, 1, 50, 12},
		{"s-2vcpu-2gb", 2048, 2, 60, 18},
		{"s-2vcpu-4gb", 4096, 2, 80, 24},
		{"s-4vcpu-8gb", 8192, 4, 160, 48},
	}
}

func sizeSlugs() []string {
	var slugs []string
	for _, p := range plans() {
		slugs = append(slugs, p.slug)
	}
	return slugs
}

func sizes() []size {
	var all []size
	for _, p := range plans() {
		all = append(all, size{
			Slug: p.slug, Memory: p.memory, VCPUs: p.cpus, Disk: p.disk, Transfer: float64(p.cpus), PriceMonthly: p.monthly,
			PriceHourly: p.monthly / 672, Regions: regionSlugs(), Available: true, Description: "Basic", DiskInfo: localDisk(p.disk),
		})
	}
	return all
}

func sizeOf(slug string) (size, bool) {
	for _, z := range sizes() {
		if z.Slug == slug {
			return z, true
		}
	}
	return size{}, false
}

func localDisk(gib int) []diskInfo {
	var d diskInfo
	d.Type, d.Size.Amount, d.Size.Unit = "local", gib, "gib"
	return []diskInfo{d}
}

// seed fills an account that is in use: public images, and a snapshot that somebody
// made by hand and that nobody may touch.
func (s *Server) seed() {
	for _, b := range [][3]string{
		{"ubuntu-24-04-x64", "24.04 (LTS) x64", "Ubuntu"}, {"debian-12-x64", "12 x64", "Debian"},
	} {
		s.images[s.id()] = &Image{
			ID: s.lastID, Name: b[1], Type: "base", Distribution: b[2], Slug: &b[0], Public: true, Regions: regionSlugs(),
			CreatedAt: now(), MinDiskSize: 7, SizeGigabytes: 2.34, Tags: []string{}, Status: "available",
		}
	}
	s.images[s.id()] = &Image{
		ID: s.lastID, Name: "before-the-move", Type: "snapshot", Distribution: "Ubuntu", Regions: []string{"nyc3"},
		CreatedAt: now(), MinDiskSize: 25, SizeGigabytes: 1.87, Tags: []string{}, Status: "available",
	}
}
