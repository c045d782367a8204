package deploy

import (
	"fmt"
	"strings"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps/activate"
)

// systemWords names a system as people tell systems apart.
func systemWords(system string) string {
	hash, err := nix.StoreHash(system)
	if err != nil {
		return "its former system"
	}
	return "system " + hash[:8]
}

// switchedWords says of a machine what it was switched to; empty where that is what
// it is to run.
func switchedWords(rec *release.Record, known *release.Droplet, on fleet.Provider) string {
	sw := known.Switched
	if sw == nil {
		return ""
	}
	at := fmt.Sprintf("at %s on %s", short(sw.Revision), stamp(sw.At))
	switch {
	case sw.Verb == string(activate.Test):
		return systemWords(sw.System) + " is being tested, switched to by hand " + at + "; a reboot undoes it" + replaced(on)
	case sw.Verb == string(activate.Boot):
		return systemWords(sw.System) + " comes with the next boot, set by hand " + at + replaced(on)
	case on != fleet.SSHHosts:
		return "switched by hand " + at + replaced(on)
	case rec.Toplevel == "":
		return "runs " + systemWords(sw.System) + ", to which it was switched " + at
	case sw.System != rec.Toplevel:
		return "runs " + systemWords(sw.System) + ", to which it was switched " + at + "; the release is " + systemWords(rec.Toplevel)
	}
	return ""
}

// notSwitched is said of a machine that is as its image made it.
const notSwitched = "not switched by hand"

// Switched says in words what a droplet was switched to over SSH; empty where it was not.
func (p ServerPlan) Switched(d ocean.Droplet) string {
	known := p.Record.Droplet(d.ID)
	if switchedOn(d, known) == nil {
		return ""
	}
	return switchedWords(p.Record, known, p.Server.Provider)
}

// tellSwitched says which droplets are rebuilt though nothing else may have changed.
func (p *Plan) tellSwitched(tell event.Teller) {
	for _, s := range p.Servers {
		for _, d := range s.Wiped() {
			if words := s.Switched(d); words != "" {
				tell.Warn("%s/%s is rebuilt: %s", s.Server.Name, d.Name, words)
			}
		}
	}
}

func replaced(on fleet.Provider) string {
	if on == fleet.SSHHosts {
		return ""
	}
	return "; the next deploy replaces it"
}

// switchState is one sentence: what runs on a machine after a switch.
func (s *serverRun) switchState(d ocean.Droplet, o event.Outcome) string {
	one, verb := s.switches[d.ID], s.run.plan.how.Verb
	if one == nil || one.former == "" && o != event.Cancelled && o != event.WouldDo && o != event.Failed {
		return "runs what it ran before"
	}
	switch {
	case verb == activate.DryActivate && one.said != "":
		return one.said
	case o == event.WouldDo:
		return "would " + string(verb) + " " + systemWords(one.system)
	case o == event.Verified && verb == activate.Test && one.former != one.system:
		return "runs " + systemWords(one.system) + " until it boots, verified"
	case o == event.Verified:
		return "runs " + systemWords(one.system) + ", verified"
	case o == event.Prepared:
		return "boots " + systemWords(one.system) + " next; runs " + systemWords(one.former)
	case o == event.RolledBack && verb == activate.Boot:
		return "runs and boots what it did before"
	case o == event.RolledBack:
		return "runs " + systemWords(one.former) + " again, verified"
	case o == event.Cancelled && !one.runs && verb == activate.Boot:
		return "runs what it ran before; what it boots next is not certain"
	case o == event.Cancelled && !one.runs:
		return "goes back by itself, unless the new system was confirmed already"
	case one.runs:
		return "runs " + systemWords(one.system) + ", not verified; before, " + systemWords(one.former)
	case one.wentBack:
		return "runs " + systemWords(one.former) + " again, not verified"
	case one.former != "":
		return "was being brought to " + systemWords(one.system) + ": see below"
	}
	return "runs what it ran before"
}

// said keeps what an activation would do, for the one sentence of the machine.
func (s *serverRun) said(d ocean.Droplet, lines []string) {
	for _, line := range lines {
		event.NewTeller(s.d.Sink, s.on(d), "activate").Log(line)
	}
	s.switches[d.ID].said = strings.Join(lines, "; ")
	if len(lines) == 0 {
		s.switches[d.ID].said = "no unit would be changed"
	}
}

// wouldSwitch tells, in a dry run, what the rollout would do.
func (s *serverRun) wouldSwitch() {
	s.switches = map[int]*switching{}
	for _, d := range s.plan.Droplets {
		s.switches[d.ID] = &switching{system: s.plan.Want.Toplevel}
		tell := event.NewTeller(s.d.Sink, s.on(d), "activate")
		if s.run.plan.how.OnServer != "" {
			tell.Phase("would build %s there and %s it", s.plan.Server.System, s.run.plan.how.Verb)
			continue
		}
		tell.Phase("would copy %s and %s it", s.plan.Want.Toplevel, s.run.plan.how.Verb)
	}
}

// switchOutcome is how a server ended whose switch did not fail.
func (r *SwitchRequest) switchOutcome() event.Outcome {
	switch r.Verb {
	case activate.Boot:
		return event.Prepared
	case activate.DryActivate:
		return event.WouldDo
	case activate.Switch, activate.Test:
	}
	return event.Verified
}

// nextSwitch are the commands that are worth typing after a switch.
func (r *run) nextSwitch(err error) []string {
	var names []string
	for _, s := range r.results {
		names = append(names, s.Server)
	}
	all := strings.Join(names, " ")
	verb := r.plan.how.Verb
	switch {
	case err == nil && (r.steps.DryRun || verb == activate.DryActivate):
		return []string{"snowdrop switch " + all}
	case err == nil && verb == activate.Test:
		return []string{"snowdrop switch " + all + "   # so that a reboot does not undo it", "snowdrop status"}
	case err == nil && verb == activate.Boot:
		return []string{"snowdrop verify " + all + "   # after the reboot", "snowdrop status"}
	case err == nil:
		return []string{"snowdrop status"}
	}
	var next []string
	for _, s := range r.results {
		if s.Err != nil && s.Outcome != event.RolledBack && hasDroplet(s, event.Failed) {
			next = append(next, "snowdrop verify "+s.Server)
			next = append(next, r.undo[s.Server]...)
			if record := r.record(s.Server); record != nil && record.CustomImage.ID != 0 {
				next = append(next, "snowdrop rebuild "+s.Server+"   # brings the image back, and wipes the disk")
			}
		}
	}
	return append(next, "snowdrop status")
}

// undoSwitch are the commands that bring those machines back by hand which were left
// with a system that is not verified.
func (s *serverRun) undoSwitch() []string {
	var commands []string
	as := ""
	if s.run.plan.how.sudo(s.plan.Server).Use {
		as = "sudo "
	}
	for _, r := range s.results {
		one := s.switches[r.droplet.ID]
		switch {
		case r.outcome != event.Failed || !one.runs:
		case one.undone:
			commands = append(commands, "snowdrop ssh "+r.droplet.Name+" -- "+as+"reboot   # back to what it ran")
		default:
			commands = append(commands, "snowdrop ssh "+r.droplet.Name+" -- "+as+"nixos-rebuild switch --rollback   # back to what it ran")
		}
	}
	return commands
}

// record is what was known of a server when the run began.
func (r *run) record(server string) *release.Record { return r.plan.world.records[server] }
