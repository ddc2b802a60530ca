package access

import (
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// AllowChange decides whether p may do an administrative action: the system itself and the local socket may do all, a user
// of a Command adapter what the user's group names. Everybody else may do none.
func (r *Rules) AllowChange(p cpm.Principal, action string) error {
	switch p.Kind { //nolint:exhaustive // every other kind is denied
	case cpm.PrincipalSystem, cpm.PrincipalSocket:
		return nil
	case cpm.PrincipalUser:
		if r.mayNamed(p.Name, action) || covers(action) != "" && r.mayNamed(p.Name, string(covers(action))) {
			return nil
		}
		return fault.New(fault.Denied, "the group of this user does not allow the action; ask the operator of the CPM")
	}
	return fault.New(fault.Denied, "this caller may not administer the CPM")
}

// covers is the command that does an action, so that whoever may send the command may do the action.
func covers(action string) cpm.CommandName {
	switch action {
	case "adapter.stop":
		return cpm.CommandShutdown
	case "adapter.start":
		return cpm.CommandStartup
	case "refresh.config":
		return cpm.CommandRefreshConfig
	case "refresh.keys":
		return cpm.CommandRefreshKeys
	}
	return ""
}

// AllowCommand decides whether a user may send a command (specification, "Command configuration": commands per group).
func (r *Rules) AllowCommand(u *User, command cpm.CommandName) error {
	if r.mayNamed(u.Name, string(command)) {
		return nil
	}
	return fault.New(fault.Denied, "the group of this user does not allow the command; ask the operator of the CPM")
}

// mayNamed says whether the user is there, enabled, and in a group that names the command or action.
func (r *Rules) mayNamed(user, name string) bool {
	u, known := r.users[user]
	return known && u.Enabled && r.groups[u.Group][name]
}
