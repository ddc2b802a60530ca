// Package deploy holds tests of what deploy/ ships: units, image and manifests fit the binary of this tree.
package deploy
