package bucket

import (
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"strings"
)

const publicRead = "public-read"

const allUsers = "http://acs.amazonaws.com/groups/global/AllUsers"

// serveACL answers GET and PUT of ?acl on an object, which gofakes3 does not know.
func (b *Bucket) serveACL(w http.ResponseWriter, r *http.Request) {
	key := b.key(r)
	if _, err := b.back.find(b.cfg.Name, key); err != nil && key != "" {
		refuse(w, r, &s3Error{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."})
		return
	}
	switch r.Method {
	case http.MethodPut:
		acl := r.Header.Get("X-Amz-Acl")
		if acl == "" {
			acl = grants(r.Body)
		}
		if acl != "private" && acl != publicRead {
			refuse(w, r, &s3Error{http.StatusBadRequest, "InvalidArgument", "the lab knows the ACLs private and public-read"})
			return
		}
		b.setACL(key, acl)
		w.WriteHeader(http.StatusOK)
	case http.MethodGet:
		writeACL(w, key != "" && b.public(key))
	default:
		refuse(w, r, &s3Error{http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource."})
	}
}

func (b *Bucket) setACL(key, acl string) {
	b.back.mu.Lock()
	defer b.back.mu.Unlock()
	if o := b.back.objects[key]; o != nil {
		o.meta = maps.Clone(o.meta)
		if o.meta == nil {
			o.meta = map[string]string{}
		}
		o.meta["X-Amz-Acl"] = acl
	}
}

// grants reads an AccessControlPolicy: whether everybody may read.
func grants(body io.Reader) string {
	data, err := io.ReadAll(io.LimitReader(body, 1<<20))
	if err != nil {
		return ""
	}
	if strings.Contains(string(data), allUsers) && strings.Contains(string(data), "READ") {
		return publicRead
	}
	return "private"
}

func writeACL(w http.ResponseWriter, public bool) {
	type grantee struct {
		XSI  string `xml:"xmlns:xsi,attr"`
		Type string `xml:"xsi:type,attr"`
		ID   string `xml:"ID,omitempty"`
		URI  string `xml:"URI,omitempty"`
	}
	type grant struct {
		Grantee    grantee `xml:"Grantee"`
		Permission string  `xml:"Permission"`
	}
	const xsi = "http://www.w3.org/2001/XMLSchema-instance"
	list := []grant{{grantee{XSI: xsi, Type: "CanonicalUser", ID: "lab"}, "FULL_CONTROL"}}
	if public {
		list = append(list, grant{grantee{XSI: xsi, Type: "Group", URI: allUsers}, "READ"})
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ AccessControlPolicy"`
		Owner   string   `xml:"Owner>ID"`
		Grants  []grant  `xml:"AccessControlList>Grant"`
	}{Owner: "lab", Grants: list})
}
