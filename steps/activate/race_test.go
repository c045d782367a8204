package activate

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// TestConfirmedOrBackButNeverBoth lets confirmations, requests to go back, the
// deadline and a kill meet each other: whatever wins, what everybody was told is
// what the machine did.
func TestConfirmedOrBackButNeverBoth(t *testing.T) {
	t.Parallel()
	const rounds = 16
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			seed := uint64(round) //nolint:gosec // small
			random := rand.New(rand.NewPCG(seed, 1))
			in := In{Target: b.target(), System: newSystem, Verb: Switch, Confirm: 10 * time.Second, Timeout: time.Minute}
			w := words{root: b.root, id: fmt.Sprintf("%016x", round)}
			conn, err := b.dialer.Dial(t.Context(), in.Target)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close() //nolint:errcheck // its end is known
			m := machine{conn: conn, target: in.Target}
			if a, err := m.ask(t.Context(), time.Minute, w.start(in)); err != nil || a.values["started"] == "" {
				t.Fatalf("%v, %v", a, err)
			}
			for {
				a, err := m.ask(t.Context(), time.Minute, w.look())
				if err != nil {
					t.Fatal(err)
				}
				if s := a.state(); s != "" && s != "activating" { // on a busy computer it may be over
					break
				}
			}
			var (
				wg       sync.WaitGroup
				mu       sync.Mutex
				told     []string
				scripts  = []string{w.confirm(), w.confirm(), w.abandon()}[random.IntN(2):]
				deadline = 10 * tick * 2 // a tick of the machine takes about two
			)
			for _, script := range scripts {
				after := time.Duration(random.Int64N(int64(deadline * 3 / 2)))
				wg.Go(func() {
					time.Sleep(after)
					a, err := m.ask(t.Context(), time.Minute, script)
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
					}
					told = append(told, a.values["decision"])
				})
			}
			if random.IntN(4) == 0 {
				wg.Go(func() {
					time.Sleep(time.Duration(random.Int64N(int64(deadline))))
					_ = kill(b) // it may have ended
				})
			}
			wg.Wait()
			b.wait()
			last, err := m.ask(t.Context(), time.Minute, w.look())
			if err != nil {
				t.Fatal(err)
			}
			for _, decision := range told {
				if decision != last.values["decision"] {
					t.Errorf("told %q, in the end it was %q", told, last.values["decision"])
				}
			}
			switch last.values["decision"] {
			case "confirmed":
				b.agree(last, outcomeKept, newSystem)
			case "back":
				b.agree(last, outcomeWentBack, oldSystem)
			default:
				t.Errorf("nothing was decided: %v", last)
			}
		})
	}
}

func (b *box) agree(a answer, outcome, system string) {
	b.t.Helper()
	runs, boots := b.resolved("run/current-system"), b.resolved("nix/var/nix/profiles/system")
	if a.outcome() != outcome || runs != system || boots != system {
		b.t.Errorf("decided %s: %s, it runs %s and boots %s\n%s", a.values["decision"], a.outcome(), runs, boots, b.read("journal"))
	}
}
