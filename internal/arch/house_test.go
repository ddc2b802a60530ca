package arch

import (
	"fmt"
	"slices"
	"strings"
)

// house lists the floors from the ground up. A package may import every lower floor, and on its
// own floor what stands to its left. Names are relative to internal/, apart from gen.
var house = []string{
	"gen/cpm/v1  fault secret cpm spec cpm/moduletest",
	"canon jwk fspiop symmetric payment ttlv config obs events pki store store/storetest seal audit admission",
	"access route keys",
	"operation ssm hsm hsm/pkcs11 hsm/payshield hsm/drivertest",
	"adapter core",
	"api command operator keyupdate kmip console probe",
	"server bench cli cpmtest arch",
}

// strangers are pairs that must not know each other in either direction, although the floors would
// allow it. What one needs of the other is handed in by server.
var strangers = [][2]string{
	{"core", "adapter"},
	{"core", "ssm"},
	{"core", "hsm"},
	{"core", "hsm/pkcs11"},
	{"core", "hsm/payshield"},
	{"operation", "keys"},
	{"operation", "store"},
	{"hsm", "hsm/pkcs11"},
	{"hsm", "hsm/payshield"},
	{"api", "store"},
	{"api", "keys"},
}

// place is where a package stands: its floor and its position from the left.
type place struct{ floor, left int }

// below says whether p may be imported from q.
func (p place) below(q place) bool {
	return p.floor < q.floor || p.floor == q.floor && p.left < q.left
}

// places turns the list of floors into a place for each room.
func places(floors []string) map[string]place {
	rooms := map[string]place{}
	for i, floor := range floors {
		for j, room := range strings.Fields(floor) {
			rooms[room] = place{floor: i, left: j}
		}
	}
	return rooms
}

// checkArrows judges the imports of one package's product files. Packages are named by room.
func checkArrows(rooms map[string]place, from string, imports []string) []string {
	switch wing(from) {
	case "cmd":
		return checkWing(rooms, from, imports, "gen", "internal")
	case "sdk":
		return checkWing(rooms, from, imports, "gen", "sdk")
	case "test":
		return checkWing(rooms, from, imports, "gen", "internal", "sdk", "test")
	}
	here, ok := rooms[from]
	if !ok {
		return []string{fmt.Sprintf("%s has no room: give it a place on a floor in internal/arch/house_test.go", from)}
	}
	var found []string
	for _, to := range imports {
		found = append(found, checkArrow(rooms, from, here, to)...)
	}
	return found
}

func checkArrow(rooms map[string]place, from string, here place, to string) []string {
	there, ok := rooms[to]
	switch {
	case !ok && wing(to) != "internal" && wing(to) != "gen":
		return []string{fmt.Sprintf("%s imports %s: the house imports nothing from %s/", from, to, wing(to))}
	case !ok:
		return []string{fmt.Sprintf("%s imports %s, which has no room", from, to)}
	case areStrangers(from, to):
		return []string{fmt.Sprintf("%s imports %s: the two must not know each other; let server hand in what is needed", from, to)}
	case !there.below(here) && there.floor == here.floor:
		return []string{fmt.Sprintf("%s imports %s, which stands to its right on floor %d", from, to, here.floor)}
	case !there.below(here):
		return []string{fmt.Sprintf("%s (floor %d) imports %s (floor %d): arrows point down", from, here.floor, to, there.floor)}
	}
	return nil
}

// checkWing judges a package outside the house: which wings may it import from?
func checkWing(rooms map[string]place, from string, imports []string, allowed ...string) []string {
	var found []string
	for _, to := range imports {
		_, known := rooms[to]
		switch {
		case !slices.Contains(allowed, wing(to)):
			found = append(found, fmt.Sprintf("%s imports %s: %s/ may import only %s", from, to, wing(from), strings.Join(allowed, ", ")))
		case !known && (wing(to) == "internal" || wing(to) == "gen"):
			found = append(found, fmt.Sprintf("%s imports %s, which has no room", from, to))
		}
	}
	return found
}

// wing is the part of the repository a room belongs to; rooms of internal/ carry no prefix.
func wing(room string) string {
	first, _, _ := strings.Cut(room, "/")
	switch first {
	case "cmd", "gen", "sdk", "test":
		return first
	}
	return "internal"
}

func areStrangers(a, b string) bool {
	return slices.Contains(strangers, [2]string{a, b}) || slices.Contains(strangers, [2]string{b, a})
}
