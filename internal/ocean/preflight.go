package ocean

// Target is a droplet that is to be rebuilt for a server.
type Target struct {
	Server  string
	Droplet Droplet
	// Image is the custom image it gets; zero while there is none yet.
	Image Image
	// ImageVirtualSize is the size of the image's disk in bytes; 0: not known.
	ImageVirtualSize int64
}

// Preflight says before anything is changed what would keep a rebuild from
// working: one error that lists every fault with its fix, or nil.
func Preflight(targets []Target) error { return errSoon }

// Select picks droplets by name, in the order given, or by tag.
func Select(droplets []Droplet, names []string, tag string) ([]Droplet, error) { return nil, errSoon }
