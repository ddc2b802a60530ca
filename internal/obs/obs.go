// Package obs is how a CPM is observed: the logger and the spelling of its attributes, the metrics and their names, and
// request ids. What is logged is kept apart from what is secret by type: attributes are made by the constructors here,
// and none of them takes a payload, a header or a key.
package obs
