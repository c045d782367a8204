package api

import "time"

// The types of DigitalOcean's API as its OpenAPI description has them, with every
// required property.

type region struct {
	Name      string   `json:"name"`
	Slug      string   `json:"slug"`
	Features  []string `json:"features"`
	Available bool     `json:"available"`
	Sizes     []string `json:"sizes"`
}

type size struct {
	Slug         string     `json:"slug"`
	Memory       int        `json:"memory"`
	VCPUs        int        `json:"vcpus"`
	Disk         int        `json:"disk"`
	Transfer     float64    `json:"transfer"`
	PriceMonthly float64    `json:"price_monthly"`
	PriceHourly  float64    `json:"price_hourly"`
	Regions      []string   `json:"regions"`
	Available    bool       `json:"available"`
	Description  string     `json:"description"`
	DiskInfo     []diskInfo `json:"disk_info"`
}

type diskInfo struct {
	Type string `json:"type"`
	Size struct {
		Amount int    `json:"amount"`
		Unit   string `json:"unit"`
	} `json:"size"`
}

// Image is an image of the account, or a public one.
type Image struct {
	ID            int       `json:"id"`
	Name          string    `json:"name"`
	Type          string    `json:"type"`
	Distribution  string    `json:"distribution"`
	Slug          *string   `json:"slug"`
	Public        bool      `json:"public"`
	Regions       []string  `json:"regions"`
	CreatedAt     time.Time `json:"created_at"`
	MinDiskSize   int       `json:"min_disk_size"`
	SizeGigabytes float64   `json:"size_gigabytes"`
	Description   string    `json:"description"`
	Tags          []string  `json:"tags"`
	Status        string    `json:"status"`
	ErrorMessage  string    `json:"error_message"`

	disk Disk
}

// Droplet is a virtual machine of the account.
type Droplet struct {
	ID        int        `json:"id"`
	Name      string     `json:"name"`
	Memory    int        `json:"memory"`
	VCPUs     int        `json:"vcpus"`
	Disk      int        `json:"disk"`
	DiskInfo  []diskInfo `json:"disk_info"`
	Locked    bool       `json:"locked"`
	Status    string     `json:"status"`
	Kernel    *struct{}  `json:"kernel"`
	CreatedAt time.Time  `json:"created_at"`
	Features  []string   `json:"features"`
	BackupIDs []int      `json:"backup_ids"`
	// NextBackupWindow is empty: the description demands the property, and allows it
	// to be null in one place and not in another.
	NextBackupWindow struct{} `json:"next_backup_window"`
	SnapshotIDs      []int    `json:"snapshot_ids"`
	Image            Image    `json:"image"`
	VolumeIDs        []string `json:"volume_ids"`
	Size             size     `json:"size"`
	SizeSlug         string   `json:"size_slug"`
	Networks         networks `json:"networks"`
	Region           region   `json:"region"`
	Tags             []string `json:"tags"`
	VPCUUID          string   `json:"vpc_uuid"`
}

// IPv4 is the droplet's public address.
func (d *Droplet) IPv4() string {
	for _, n := range d.Networks.V4 {
		if n.Type == "public" {
			return n.IPAddress
		}
	}
	return ""
}

// IPv6 says whether the droplet has an IPv6 address.
func (d *Droplet) IPv6() bool { return len(d.Networks.V6) > 0 }

type networks struct {
	V4 []networkV4 `json:"v4"`
	V6 []networkV6 `json:"v6"`
}

type networkV4 struct {
	IPAddress string `json:"ip_address"`
	Netmask   string `json:"netmask"`
	Gateway   string `json:"gateway"`
	Type      string `json:"type"`
}

type networkV6 struct {
	IPAddress string `json:"ip_address"`
	Netmask   int    `json:"netmask"`
	Gateway   string `json:"gateway"`
	Type      string `json:"type"`
}

// Action is something that takes time: on a droplet or on an image.
type Action struct {
	ID           int        `json:"id"`
	Status       string     `json:"status"`
	Type         string     `json:"type"`
	StartedAt    time.Time  `json:"started_at"`
	CompletedAt  *time.Time `json:"completed_at"`
	ResourceID   int        `json:"resource_id"`
	ResourceType string     `json:"resource_type"`
	Region       region     `json:"region"`
	RegionSlug   string     `json:"region_slug"`
}

type sshKey struct {
	ID          int    `json:"id"`
	Fingerprint string `json:"fingerprint"`
	PublicKey   string `json:"public_key"`
	Name        string `json:"name"`
}

type tagCount struct {
	Count         int    `json:"count"`
	LastTaggedURI string `json:"last_tagged_uri,omitempty"`
}

type tagResources struct {
	tagCount
	Droplets        tagCount `json:"droplets"`
	Images          tagCount `json:"images"`
	Volumes         tagCount `json:"volumes"`
	VolumeSnapshots tagCount `json:"volume_snapshots"`
	Databases       tagCount `json:"databases"`
}

type tag struct {
	Name      string       `json:"name"`
	Resources tagResources `json:"resources"`
}

// apiError is an answer that is no success.
type apiError struct {
	status     int
	ID         string `json:"id"`
	Message    string `json:"message"`
	RequestID  string `json:"request_id"`
	retryAfter time.Duration
}

func (e *apiError) Error() string { return e.ID + ": " + e.Message }

func notFound() error {
	return &apiError{status: 404, ID: "not_found", Message: "The resource you were accessing could not be found."}
}

func unprocessable(message string) error {
	return &apiError{status: 422, ID: "unprocessable_entity", Message: message}
}

func badRequest(message string) error {
	return &apiError{status: 400, ID: "bad_request", Message: message}
}
