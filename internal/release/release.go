// Package release holds records: what runs where, and since when. A record is a
// JSON document in the Space; there is no other state.
package release

import "time"

// FormatVersion is the version of the record's format that this program writes.
const FormatVersion = 1

// Outcome is how the release of a record ended.
type Outcome string

// The outcomes of a record. Pending is written before the first droplet is
// changed, so that a run that was cut off is known as such.
const (
	Pending    Outcome = "pending"
	Verified   Outcome = "verified"
	Failed     Outcome = "failed"
	RolledBack Outcome = "rolled-back"
	// Unreleased is that of a record without a release: it tells of droplets that were
	// switched, and the image that they had is none of ours.
	Unreleased Outcome = "not-released"
)

// Record says what a server runs.
type Record struct {
	Version int    `json:"version"`
	Server  string `json:"server"`
	Release
	// Previous is the way back: the last verified release before this one.
	Previous *Release `json:"previous,omitempty"`
	// Attempted is the release that failed and was rolled back from; the record's
	// own release is then the one that the droplets went back to.
	Attempted *Release  `json:"attempted,omitempty"`
	Droplets  []Droplet `json:"droplets"`
	Outcome   Outcome   `json:"outcome"`
	// Failure is the error of a release that was not verified, redacted.
	Failure    string    `json:"failure,omitempty"`
	RunURL     string    `json:"runUrl,omitempty"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt,omitzero"`
}

// Release is one server at one git revision with one custom image.
type Release struct {
	Revision string `json:"revision,omitempty"`
	// RevisionTime is the commit's time; zero where the flake has none.
	RevisionTime time.Time   `json:"revisionTime,omitzero"`
	Image        Image       `json:"image"`
	Toplevel     string      `json:"toplevel,omitempty"`
	CustomImage  CustomImage `json:"customImage"`
}

// Image is the disk image that Nix built and the object that was uploaded.
type Image struct {
	StorePath string `json:"storePath"`
	// Hash is the hash in the store path: the image's identity.
	Hash string `json:"hash"`
	// SHA256 is the object's, in hex; Size is the object's, in bytes.
	SHA256 string `json:"sha256,omitempty"`
	Size   int64  `json:"size,omitempty"`
	// VirtualSize is the size of the disk in bytes.
	VirtualSize int64 `json:"virtualSize,omitempty"`
}

// CustomImage is DigitalOcean's copy.
type CustomImage struct {
	ID      int      `json:"id"`
	Name    string   `json:"name"`
	Regions []string `json:"regions,omitempty"`
}

// Droplet is what is known of one droplet after the run.
type Droplet struct {
	ID      int    `json:"id"`
	Name    string `json:"name"`
	Address string `json:"address,omitempty"`
	// ImageID is the custom image it was last rebuilt with by us.
	ImageID int    `json:"imageId,omitempty"`
	BootID  string `json:"bootId,omitempty"`
	// HostKeys are its public host keys in authorized_keys form.
	HostKeys []string `json:"hostKeys,omitempty"`
	// Rebuild is set from before a rebuild is sent until its new host keys are
	// known: while it is, one new set of host keys may be accepted.
	Rebuild *Rebuild `json:"rebuild,omitempty"`
	// Switched is set while the droplet does not run what its image has, because it
	// was switched over SSH.
	Switched   *Switched `json:"switched,omitempty"`
	Evidence   *Evidence `json:"evidence,omitempty"`
	VerifiedAt time.Time `json:"verifiedAt,omitzero"`
	// Downtime is how long it was away when it was last rebuilt: from the request to
	// the first answer of the new boot, in nanoseconds.
	Downtime time.Duration `json:"downtime,omitempty"`
}

// Switched says that a droplet was given another system than its image has, over
// SSH. It lasts until the droplet is rebuilt; a host of provider ssh has no image, and
// its server's release is what it was switched to.
type Switched struct {
	// Verb is how: switch, or test, which the next boot undoes, or boot, which it
	// carries out.
	Verb string `json:"verb"`
	// Revision is empty where the flake was not committed.
	Revision string `json:"revision,omitempty"`
	// RevisionTime is the commit's time; zero where there is none.
	RevisionTime time.Time `json:"revisionTime,omitzero"`
	System       string    `json:"system"`
	At           time.Time `json:"at"`
	// Former is what runs instead: with test after the next boot, with boot until it.
	Former string `json:"former,omitempty"`
	// Before is what a test is undone to; nil for what the image has.
	Before *Switched `json:"before,omitempty"`
}

// Rebuild is a rebuild that was asked for and not yet accounted for.
type Rebuild struct {
	ImageID   int       `json:"imageId"`
	StartedAt time.Time `json:"startedAt"`
}

// Droplet returns the record's entry for a droplet, or nil.
func (r *Record) Droplet(id int) *Droplet {
	if r == nil {
		return nil
	}
	for i := range r.Droplets {
		if r.Droplets[i].ID == id {
			return &r.Droplets[i]
		}
	}
	return nil
}
