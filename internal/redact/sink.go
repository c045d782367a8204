package redact

import (
	"reflect"
	"sync"

	"github.com/versatus/snowdrop/internal/event"
)

// Sink passes events on to next without secrets: in every text of every kind of
// event, and in its error. The events that it is given are not changed.
//
// A private key that a program prints comes as a Log event a line; such lines
// are masked until the key ends.
func (r *Redactor) Sink(next event.Sink) event.Sink {
	return &sink{redactor: r, next: next, inKey: map[source]bool{}}
}

type sink struct {
	redactor *Redactor
	next     event.Sink

	mu    sync.Mutex
	inKey map[source]bool
}

type source struct {
	subject event.Subject
	step    string
}

var _ event.Sink = (*sink)(nil)

// Emit passes the event on.
func (s *sink) Emit(e event.Event) {
	if e == nil {
		return
	}
	if l, ok := e.(event.Log); ok && s.isKeyLine(l) {
		l.Line = Mask
		e = l
	}
	clean, ok := s.redactor.value(reflect.ValueOf(e)).Interface().(event.Event)
	if ok {
		s.next.Emit(clean)
	}
}

// isKeyLine says whether a line of output is within a private key.
func (s *sink) isKeyLine(l event.Log) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := source{l.Subject, l.Step}
	if !s.inKey[key] {
		begin := keyBegin.FindStringIndex(l.Line)
		if begin != nil && !keyEnd.MatchString(l.Line[begin[1]:]) {
			s.inKey[key] = true
		}
		return false // what stands before the key is to be seen
	}
	if keyEnd.MatchString(l.Line) {
		delete(s.inKey, key)
		return true
	}
	if !keyLine.MatchString(l.Line) {
		delete(s.inKey, key) // it broke off
		return false
	}
	return true
}

// value is a copy of v without secrets. It goes by reflection, so that a field
// that an event gets one day is redacted from its first day.
func (r *Redactor) value(v reflect.Value) reflect.Value {
	if v.IsValid() && v.Type() == reflect.TypeFor[error]() {
		if v.IsNil() {
			return v
		}
		err, _ := v.Interface().(error)
		return reflect.ValueOf(r.Error(err))
	}
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		out.SetString(r.String(v.String()))
	case reflect.Struct:
		for i := range v.NumField() {
			if field := out.Field(i); field.CanSet() {
				field.Set(r.value(v.Field(i)))
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out = reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(r.value(v.Index(i)))
		}
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out = reflect.MakeMapWithSize(v.Type(), v.Len())
		for _, k := range v.MapKeys() {
			out.SetMapIndex(r.value(k), r.value(v.MapIndex(k)))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			out = reflect.New(v.Type().Elem())
			out.Elem().Set(r.value(v.Elem()))
		}
	case reflect.Interface:
		if !v.IsNil() {
			out.Set(r.value(v.Elem()))
		}
	default:
		// Numbers and the like hold no text.
	}
	return out
}
