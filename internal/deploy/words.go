package deploy

import (
	"fmt"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/ocean"
)

// wrap says what was being done; it keeps nil.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}

// plural is "1 server", "2 servers".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// short is a revision as people write it.
func short(revision string) string {
	if revision == "" {
		return "(not committed)"
	}
	return revision[:min(7, len(revision))]
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// regionsOf are the regions of the droplets, each once, in their order.
func regionsOf(droplets []ocean.Droplet) []string {
	var regions []string
	seen := map[string]bool{}
	for _, d := range droplets {
		if !seen[d.Region] {
			seen[d.Region] = true
			regions = append(regions, d.Region)
		}
	}
	return regions
}

func inAll(image ocean.Image, regions []string) bool {
	for _, r := range regions {
		if !image.In(r) {
			return false
		}
	}
	return true
}

// smallestDisk is in GB; 0 for no droplets.
func smallestDisk(droplets []ocean.Droplet) int {
	smallest := 0
	for _, d := range droplets {
		if smallest == 0 || d.DiskGB < smallest {
			smallest = d.DiskGB
		}
	}
	return smallest
}

// list joins names for a sentence; "none" for no names.
func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// noneOf begins a sentence that is true of none of the servers asked for.
func noneOf(asked []string) string {
	if len(asked) == 0 {
		return "no server is"
	}
	return "none of " + list(asked) + " is"
}
