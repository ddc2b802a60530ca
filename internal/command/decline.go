package command

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

// RequestID is the id the log of the CPM knows a declined request by. It is found in the chain of a decline's error.
type RequestID string

// Error is the id in words.
func (id RequestID) Error() string { return "request " + string(id) }

// ReadFault rebuilds a decline from an answer of any JSON door of the CPM.
func ReadFault(status int, header http.Header, body []byte) *fault.Error {
	var f failureBody
	if json.Unmarshal(body, &f) != nil || f.ErrorInformation.ErrorCode == "" {
		return fault.New(fault.Internal, "the answer has status %d and no errorInformation; is this the address of a CPM?", status)
	}
	kind := fault.Internal
	for _, x := range f.ErrorInformation.ExtensionList.Extension {
		if k, known := fault.KindNamed(x.Value); x.Key == "kind" && known {
			kind = k
		}
	}
	e := fault.New(kind, "%s", f.text())
	if f.RequestID != "" {
		e = e.Because(RequestID(f.RequestID))
	}
	if seconds, err := strconv.ParseUint(header.Get("Retry-After"), 10, 16); err == nil {
		e = e.After(time.Duration(seconds) * time.Second)
	}
	return e
}

// failureBody is the body of a decline as a client reads it.
type failureBody struct {
	ErrorInformation struct {
		ErrorCode        string `json:"errorCode"`
		ErrorDescription string `json:"errorDescription"`
		ExtensionList    struct {
			Extension []struct {
				Key   string `json:"key"`
				Value string `json:"value"`
			} `json:"extension"`
		} `json:"extensionList"`
	} `json:"errorInformation"`
	RequestID string `json:"requestId"`
	Message   string `json:"message"`
}

// text is the whole public text if the door sends it, else what follows the title of the Mojaloop code.
func (f failureBody) text() string {
	if f.Message != "" {
		return f.Message
	}
	if _, text, ok := strings.Cut(f.ErrorInformation.ErrorDescription, " - "); ok {
		return text
	}
	return f.ErrorInformation.ErrorDescription
}
