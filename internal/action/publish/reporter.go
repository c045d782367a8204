package publish

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/github"
)

// Reporter tells a run on one kind of GitHub's pages.
type Reporter interface {
	event.Sink
	// Run writes what there is to write until all is told after Finish, or until ctx
	// ends. It is not the run's own context: a run that was cancelled is told too.
	Run(ctx context.Context)
	// Finish says that no event comes any more, and how the run ended.
	Finish(e Ending)
}

// Ending is how a run ended.
type Ending struct {
	// Err is why it failed as a whole, before or beside its servers; nil if it did
	// not.
	Err error
	// Cancelled says that somebody ended it.
	Cancelled bool
	// Blamed are the servers that Err is about; none where it is about all of them.
	Blamed map[string]bool
}

// base is what the reporters share: waking up, and the one warning.
type base struct {
	what  string // "check runs"
	input string // the input that turns it off
	warn  func(text string)
	wake  chan struct{}

	mu     sync.Mutex
	end    *Ending
	warned bool
	off    bool
}

func newBase(what, input string, warn func(string)) base {
	return base{what: what, input: input, warn: warn, wake: make(chan struct{}, 1)}
}

// stir has Run look what is to be written. It never blocks.
func (b *base) stir() {
	select {
	case b.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Finish implements Reporter.
func (b *base) Finish(e Ending) {
	b.mu.Lock()
	b.end = &e
	b.mu.Unlock()
	b.stir()
}

// ending is how the run ended; nil while it goes on.
func (b *base) ending() *Ending {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.end
}

// loop calls write whenever there may be something to write, until it says that all
// is written after the end. write returns when it wants to be called again at the
// latest; 0 means when something happens.
func (b *base) loop(ctx context.Context, write func(context.Context, *Ending) (again time.Duration)) {
	for ctx.Err() == nil {
		end := b.ending()
		again := write(ctx, end)
		if end != nil {
			return
		}
		var timer <-chan time.Time
		if again > 0 {
			timer = time.After(again)
		}
		select {
		case <-ctx.Done():
		case <-b.wake:
		case <-timer:
		}
	}
}

// together writes about all servers at once: a run that was cancelled has seconds
// left.
func together[T any](all []T, write func(T)) {
	var writing sync.WaitGroup
	for _, one := range all {
		writing.Go(func() { write(one) })
	}
	writing.Wait()
}

// ok takes in what GitHub answered and says whether it did as asked. It warns of
// the first failure; where the answer cannot change during a run, as that of a
// token that may only read, nothing more is tried.
func (b *base) ok(err error) bool {
	if err == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var answer *github.APIError
	if errors.As(err, &answer) && (answer.Denied() || answer.Missing()) {
		b.off = true
	}
	if !b.warned {
		b.warned = true
		b.warn(fmt.Sprintf("%s cannot be written, and the run goes on without them (`%s: false` turns them off): %v", b.what, b.input, err))
	}
	return false
}

// isOff says that GitHub does not let it write, or does not have what it writes.
func (b *base) isOff() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.off
}
