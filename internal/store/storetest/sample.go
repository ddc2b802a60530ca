package storetest

import "github.com/mojaloop/cpm/internal/store"

// Samples is one row of each table in an order that satisfies the foreign keys, with no column zero.
func Samples() []store.Row {
	const by, later = "certificate:operator", "certificate:auditor"
	return []store.Row{
		&store.FSP{Name: "payerfsp", State: "active", Policy: []byte(`{"replay":true}`), CreatedAt: 1, CreatedBy: by, UpdatedAt: 2, UpdatedBy: later},
		&store.Series{
			ID: id(1), Space: "payerfsp", Name: "jws", Use: "sig", Policy: []byte(`{}`), Current: 3, Deleted: true,
			CreatedAt: 4, CreatedBy: by, UpdatedAt: 5, UpdatedBy: later,
		},
		&store.Object{
			ID: id(2), Series: id(1), Version: 3, Kind: "private", Algorithm: "RS256", Bits: 2048, Usage: "sig", State: "Active",
			ExpiryType: "date", CreatedAt: 6, UpdatedAt: 7, ActivatedAt: 8, NotBefore: 9, NotAfter: 10, SupersededAt: 11,
			CompromisedAt: 12, DestroyedAt: 13, CreatedBy: by, UpdatedBy: later, Parent: id(3),
			Public: []byte{0, 1}, Sealed: []byte{2, 0}, Attrs: []byte(`{"x":1}`),
		},
		&store.Link{From: id(2), Kind: "public-key", To: id(3), CreatedAt: 14, CreatedBy: by},
		&store.Adapter{
			Name: "hsm", Type: "security", Kind: "hsm", Launch: "managed", Identity: "hsm.example", Enabled: true, Stopped: true,
			Operations: []byte(`["jws.sign"]`), Settings: []byte(`{}`), CreatedAt: 15, CreatedBy: by, UpdatedAt: 16, UpdatedBy: later,
		},
		&store.Endpoint{Adapter: "hsm", Address: "192.0.2.1", Port: 7811, CreatedAt: 17, CreatedBy: by},
		&store.HSM{
			Adapter: "hsm", Name: "one", Type: "payshield", Address: "192.0.2.2", Port: 1500, HeaderType: "length", Priority: 1,
			HealthInterval: 5_000_000, Timeout: 2_000_000, Settings: []byte(`{}`), CreatedAt: 18, CreatedBy: by, UpdatedAt: 19, UpdatedBy: later,
		},
		&store.Route{
			Space: "payerfsp", Operation: "*", Adapter: "hsm", Enabled: true, Timeout: 2_000_000,
			CreatedAt: 20, CreatedBy: by, UpdatedAt: 21, UpdatedBy: later,
		},
		&store.Grant{
			Principal: "certificate:switch", Space: "*", Operation: "jws.verify", CreatedAt: 22, CreatedBy: by, UpdatedAt: 23, UpdatedBy: later,
		},
		&store.Group{Name: "operators", Attrs: []byte(`{}`), CreatedAt: 24, CreatedBy: by, UpdatedAt: 25, UpdatedBy: later},
		&store.User{Name: "ada", Group: "operators", Enabled: true, Attrs: []byte(`{}`), CreatedAt: 26, CreatedBy: by, UpdatedAt: 27, UpdatedBy: later},
		&store.GroupCommand{Group: "operators", Command: "status", CreatedAt: 28, CreatedBy: by},
		&store.Whitelist{Adapter: "hsm", Address: "192.0.2.0/24", CreatedAt: 29, CreatedBy: by},
		&store.Proposal{
			ID: id(4), Action: "key.destroy", Target: "payerfsp", Document: []byte(`{}`), ExpectRevision: 1, RequestID: "r",
			State: "open", Required: 2, ExpiresAt: 30, CreatedAt: 31, CreatedBy: by, UpdatedAt: 32, UpdatedBy: later,
		},
		&store.Approval{Proposal: id(4), Principal: by, Decision: "approve", Note: "seen", CreatedAt: 33},
		&store.RootTerm{ID: id(5), Provider: "file", Sealed: []byte{1}, State: "active", CreatedAt: 34},
		&store.KEK{Space: "payerfsp", Version: 1, Term: id(5), Sealed: []byte{2}, CreatedAt: 35},
		&store.Setting{Name: "overlap", Value: []byte("300")},
		&store.KeyUpdate{Space: "payerfsp", Seq: 36, Nonce: "0123456789abcdef", At: 37},
	}
}

// Bare is one row of each table in which everything but the primary key is zero.
func Bare() []store.Row {
	var zero [16]byte
	return []store.Row{
		&store.FSP{Name: "f"},
		&store.Series{ID: zero},
		&store.Object{ID: id(2), Series: zero},
		&store.Link{From: id(2), Kind: "k", To: zero},
		&store.Adapter{Name: ""},
		&store.Endpoint{Adapter: "", Address: "a"},
		&store.HSM{Adapter: "", Name: "h"},
		&store.Route{Space: "s", Operation: "o"},
		&store.Grant{Principal: "p", Space: "s", Operation: "o"},
		&store.Group{Name: ""},
		&store.User{Name: "u"},
		&store.GroupCommand{Group: "", Command: "c"},
		&store.Whitelist{Adapter: "", Address: "a"},
		&store.Proposal{ID: zero},
		&store.Approval{Proposal: zero, Principal: "p"},
		&store.RootTerm{ID: zero},
		&store.KEK{Space: "", Version: 0, Term: zero},
		&store.Setting{Name: "s"},
		&store.KeyUpdate{Space: ""},
	}
}
