package store

// Proposal is a change that waits for approval.
type Proposal struct {
	ID             [16]byte
	Action, Target string
	// Document is the change as it was asked for.
	Document       []byte
	ExpectRevision int64
	RequestID      string
	State          string
	// Required is the number of approvals.
	Required                        int64
	ExpiresAt, CreatedAt, UpdatedAt int64
	CreatedBy, UpdatedBy            string
}

func (*Proposal) table() string { return "proposals" }

func (*Proposal) columns() (int, []string) {
	return 1, []string{
		"id", "action", "target", "document", "expect_revision", "request_id", "state", "required", "expires_at",
		"created_at", "created_by", "updated_at", "updated_by",
	}
}

func (r *Proposal) fields(d []any) []any {
	return append(d, &r.ID, &r.Action, &r.Target, &r.Document, &r.ExpectRevision, &r.RequestID, &r.State, &r.Required,
		&r.ExpiresAt, &r.CreatedAt, &r.CreatedBy, &r.UpdatedAt, &r.UpdatedBy)
}

// Approval is one principal's word on a proposal. The proposal must be there first.
type Approval struct {
	Proposal                  [16]byte
	Principal, Decision, Note string
	CreatedAt                 int64
}

func (*Approval) table() string { return "approvals" }

func (*Approval) columns() (int, []string) {
	return 2, []string{"proposal", "principal", "decision", "note", "created_at"}
}

func (r *Approval) fields(d []any) []any {
	return append(d, &r.Proposal, &r.Principal, &r.Decision, &r.Note, &r.CreatedAt)
}
