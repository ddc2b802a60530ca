package cpm

import "context"

// CommandName is one of the commands of the specification.
type CommandName string

// The commands (specification, "Commands").
const (
	CommandShutdown      CommandName = "Shutdown"
	CommandStartup       CommandName = "Startup"
	CommandRefreshConfig CommandName = "RefreshConfig"
	CommandRefreshKeys   CommandName = "RefreshKeys"
	CommandStatus        CommandName = "Status"
)

// Commands lists the commands in the specification's order.
func Commands() []CommandName {
	return []CommandName{CommandShutdown, CommandStartup, CommandRefreshConfig, CommandRefreshKeys, CommandStatus}
}

// What an adapter that dials in asks the core: the operation of its Ask.
const (
	AskCommand   Operation = "command"
	AskKeyUpdate Operation = "key-update"
	AskImportKey Operation = "import-key"
)

// ServiceStatus is what a Command or Key Update adapter says of itself.
type ServiceStatus struct {
	State State
	// Counts are its own counters: command or action → outcome → number. What was no valid command counts as Invalid under "".
	Counts map[string]Outcomes
}

// Service is the core's view of an attached Command or Key Update adapter: one that dialled in. All adapters obey these
// three from the core and decline anything else (specification, "Command Adapter", "Key Update Adapter").
type Service interface {
	// Configure is RefreshConfig: the adapter's settings, as JSON.
	Configure(ctx context.Context, settings []byte, revision int64) error
	Status(ctx context.Context) (ServiceStatus, error)
	// Shutdown returns when the adapter has answered everything it had accepted; its link ends then.
	Shutdown(ctx context.Context) error
}
