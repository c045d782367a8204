package lab

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// control adds the endpoints that steer the lab.
func (l *Lab) control(mux *http.ServeMux) {
	mux.HandleFunc("GET /lab/faults", func(w http.ResponseWriter, _ *http.Request) { reply(w, l.faults.List()) })
	mux.HandleFunc("DELETE /lab/faults", func(w http.ResponseWriter, _ *http.Request) {
		l.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /lab/faults", l.postFault)
	mux.HandleFunc("GET /lab/kinds", func(w http.ResponseWriter, _ *http.Request) { reply(w, Faults()) })
	mux.HandleFunc("GET /lab/state", func(w http.ResponseWriter, _ *http.Request) { reply(w, l.State()) })
	mux.Handle("/lab/github", l.github)
	mux.Handle("/lab/github/", l.github)
	mux.HandleFunc("POST /lab/store", l.postStore)
	mux.HandleFunc("GET /lab/requests", func(w http.ResponseWriter, _ *http.Request) { reply(w, l.Requests()) })
}

// postFault takes a Fault as JSON, or as the text that ParseFault reads.
func (l *Lab) postFault(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text := strings.TrimSpace(string(body))
	var f Fault
	if strings.HasPrefix(text, "{") {
		err = json.Unmarshal(body, &f)
	} else {
		f, err = ParseFault(text)
	}
	if err == nil {
		err = l.Fault(f)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusCreated)
	reply(w, f)
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
