package redact

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/event"
)

// through writes text to a Writer in pieces of a size.
func through(t *testing.T, r *Redactor, text string, size int) string {
	t.Helper()
	var out bytes.Buffer
	w := r.Writer(&out)
	for len(text) > 0 {
		n := min(size, len(text))
		if got, err := w.Write([]byte(text[:n])); err != nil || got != n {
			t.Fatalf("Write: %d, %v", got, err)
		}
		text = text[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAWriterHidesASecretHoweverItIsSplit(t *testing.T) {
	t.Parallel()
	k := key(t)
	text := "start " + secret + "\nab\ncd\nand " + secret + secret + "\n" + k + "GET https://x/?a=b&X-Amz-Signature=0123456789abcdef&c=d\nthe end"
	want := "start ***\n***\nand ***\n***\nGET https://x/?a=b&X-Amz-Signature=***&c=d\nthe end"
	for _, known := range []bool{true, false} {
		r := New(secret, "ab\ncd")
		if known {
			r.Add(k)
		}
		for size := 1; size < len(text)+1; size++ {
			got := through(t, r, text, size)
			if got != want {
				t.Fatalf("in pieces of %d, key known: %v (-want +got):\n%s", size, known, cmp.Diff(want, got))
			}
		}
	}
}

func TestAWriterPassesOnWholeLinesAtOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := New(secret).Writer(&out)
	fmt.Fprint(w, "one\ntwo\nthr")
	if got := out.String(); got != "one\ntwo\n" {
		t.Errorf("passed on so far: %q", got)
	}
	fmt.Fprint(w, "ee")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "one\ntwo\nthree" {
		t.Errorf("passed on in the end: %q", got)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("a write after Close")
	}
}

func TestAWriterKeepsBackABoundedAmount(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := New(secret)
	w := r.Writer(&out)
	long := strings.Repeat("x", 10*maxHeld)
	fmt.Fprint(w, long)
	if n := out.Len(); n < len(long)-maxHeld-len(secret) {
		t.Errorf("%d of %d bytes are passed on", n, len(long))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if out.String() != long {
		t.Error("a long line is changed")
	}
	for _, size := range []int{1000, 4096, 100_000} {
		token := "X-Amz-Security-Token=" + strings.Repeat("T0kEn", 20_000)
		got := through(t, r, "a?"+token+"&b=c "+strings.Repeat(secret, 2000)+" end", size)
		if strings.Contains(got, "T0kEnT0kEn") || strings.Contains(got, "w+rd") || !strings.HasSuffix(got, " end") || !strings.Contains(got, "&b=c ") {
			t.Errorf("in pieces of %d: %d bytes, %.80s … %s", size, len(got), got, got[max(len(got)-40, 0):])
		}
	}
}

func TestAKeyThatBreaksOffDoesNotSwallowTheRest(t *testing.T) {
	t.Parallel()
	lines := strings.SplitAfter(key(t), "\n")
	text := lines[0] + lines[1] + "error: no such file\nmore\n"
	var out bytes.Buffer
	w := New().Writer(&out)
	for line := range strings.Lines(text) {
		fmt.Fprint(w, line)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "***error: no such file\nmore\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

type broken struct{}

var errBroken = errors.New("no space left on device")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestAWriterTellsOfTheOthersError(t *testing.T) {
	t.Parallel()
	w := New().Writer(broken{})
	if _, err := w.Write([]byte("a line\n")); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func TestWriterAndRedactorTakeManyAtOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := New(secret)
	w := r.Writer(&out)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				fmt.Fprintf(w, "line %s\n", secret)
				r.Add(fmt.Sprintf("further secret %d %d", i, j))
				r.String("further secret 3 3")
			}
		})
	}
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "w+rd") {
		t.Error("a secret came through")
	}
}

// fill sets every text in v to the secret, and every error to one with it.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x " + secret + " y")
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.Interface:
		v.Set(reflect.ValueOf(errors.New("cause: " + secret)))
	default:
	}
}

func TestASinkHidesSecretsInEveryFieldOfEveryEvent(t *testing.T) {
	t.Parallel()
	events := []event.Event{
		&event.RunStarted{}, &event.StepStarted{}, &event.Progress{}, &event.Phase{}, &event.Log{}, &event.Warning{},
		&event.StepFinished{}, &event.DropletFinished{}, &event.ServerFinished{}, &event.RunFinished{},
	}
	for _, p := range events {
		t.Run(p.Kind(), func(t *testing.T) {
			t.Parallel()
			fill(reflect.ValueOf(p).Elem())
			given, ok := reflect.ValueOf(p).Elem().Interface().(event.Event)
			if !ok {
				t.Fatal("not an event")
			}
			before := fmt.Sprintf("%+v", given)
			var got []event.Event
			sink := New(secret).Sink(event.SinkFunc(func(e event.Event) { got = append(got, e) }))
			sink.Emit(given)
			sink.Emit(p)
			if len(got) != 2 || reflect.TypeOf(got[0]) != reflect.TypeOf(given) {
				t.Fatalf("got %v", got)
			}
			for _, e := range got {
				for _, text := range []string{fmt.Sprintf("%v", e), fmt.Sprintf("%+v", e)} {
					if strings.Contains(text, secret) || !strings.Contains(text, Mask) {
						t.Errorf("got %s", text)
					}
				}
			}
			if after := fmt.Sprintf("%+v", given); after != before {
				t.Errorf("the event that was given is changed: %s", after)
			}
		})
	}
}

func TestASinkLeavesTheRestOfAnEvent(t *testing.T) {
	t.Parallel()
	cause := errors.New("it does not start")
	given := event.StepFinished{
		Subject: event.Subject{Server: "web", Droplet: "web-1"}, Step: "verify", Took: time.Minute,
		Result: "r", Skipped: "s", Err: cause,
	}
	var got event.Event
	New(secret).Sink(event.SinkFunc(func(e event.Event) { got = e })).Emit(given)
	if got != event.Event(given) {
		t.Errorf("got %+v", got)
	}
}

func TestASinkHidesAKeyThatComesLineByLine(t *testing.T) {
	t.Parallel()
	var got []string
	sink := New().Sink(event.SinkFunc(func(e event.Event) {
		if l, ok := e.(event.Log); ok {
			got = append(got, l.Server+": "+l.Line)
		}
	}))
	emit := func(server, line string) {
		sink.Emit(event.Log{Subject: event.Subject{Server: server}, Step: "build", Line: line})
	}
	k := strings.Split(strings.TrimSpace(key(t)), "\n")
	emit("web", "key: "+k[0])
	emit("db", "other output")
	emit("web", k[1])
	emit("web", k[2])
	emit("web", "done")
	emit("db", k[0])
	emit("db", k[1])
	emit("db", "error: broken off.")
	want := []string{"web: key: ***", "db: other output", "web: ***", "web: ***", "web: done", "db: ***", "db: ***", "db: error: broken off."}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
