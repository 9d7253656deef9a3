package main

import (
	"reflect"
	"strings"
	"time"

	"github.com/switchupcb/disgo"
)

// fill sets every plain field of a request, so that each has a query or a body
// where it can: ids from the world, by "Request.Field" or "Field", and values
// that Discord takes elsewhere.
func fill(request any, name string, world map[string]string) {
	v := reflect.ValueOf(request).Elem()
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.Anonymous {
			fillField(v.Field(i), field.Name, name, world)
		}
	}
	switch r := request.(type) {
	case *disgo.CreateInteractionResponse:
		r.InteractionResponse = &disgo.InteractionResponse{
			Type: disgo.FlagInteractionCallbackTypeCHANNEL_MESSAGE_WITH_SOURCE,
			Data: &disgo.Messages{Content: disgo.Pointer("every request, and \"quotes\" & <ünicode> 🔥")},
		}
	case *disgo.BulkOverwriteGlobalApplicationCommands:
		r.ApplicationCommands = commands(world["BulkGlobal"], world)
	case *disgo.BulkOverwriteGuildApplicationCommands:
		r.ApplicationCommands = commands(world["BulkLocal"], world)
	case *disgo.CreateMessage:
		r.Embeds = []*disgo.Embed{{Title: disgo.Pointer("kelp"), Description: disgo.Pointer("holds")}}
	case *disgo.ModifyChannelGuild:
		r.PermissionOverwrites = &[]*disgo.PermissionOverwrite{{ID: world["RoleID"], Allow: "1024", Deny: "2048"}}
	case *disgo.BulkDeleteMessages:
		r.Messages = []*string{disgo.Pointer(world["BulkOne"]), disgo.Pointer(world["BulkTwo"])}
	case *disgo.ModifyGuildRolePositions:
		r.Parameters = []*disgo.ModifyGuildRolePositionParameters{{ID: world["RoleID"]}}
	}
}

// commands has an id, because disgo would send an empty one.
func commands(id string, world map[string]string) []*disgo.ApplicationCommand {
	return []*disgo.ApplicationCommand{{ID: id, ApplicationID: world["ApplicationID"], Name: "every", Description: "Sends every request."}}
}

func fillField(v reflect.Value, field, request string, world map[string]string) {
	switch target := v.Addr().Interface().(type) {
	case *[]*disgo.File:
		*target = []*disgo.File{
			{Name: "kelp \"1\".txt", ContentType: "text/plain", Data: []byte("holds\r\n--the rock")},
			{Name: "leaf.png", Data: []byte{0x89, 'P', 'N', 'G', 0, 0xff}},
		}
		return
	case *disgo.File:
		*target = disgo.File{Name: "sticker.png", ContentType: "image/png", Data: []byte{0x89, 'P', 'N', 'G', 0, 0xff}}
		return
	case *time.Time:
		*target = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if kind := v.Type().Elem().Kind(); kind == reflect.Struct && v.Type().Elem() != reflect.TypeFor[time.Time]() || kind == reflect.Slice || kind == reflect.Map {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fillField(v.Elem(), field, request, world)
	case reflect.String:
		v.SetString(text(field, request, world))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(60)
	case reflect.Uint8, reflect.Uint64: // disgo's Flag and BitFlag
		v.SetUint(number(field, request))
	}
}

// text gives what the world has, and for other fields what their names ask for.
func text(field, request string, world map[string]string) string {
	if value, ok := world[request+"."+field]; ok {
		return value
	}
	if value, ok := world[field]; ok {
		return value
	}
	switch {
	case field == "Emoji":
		return "👍"
	case strings.Contains(field, "Permission") || field == "Allow" || field == "Deny":
		return "8"
	case strings.HasSuffix(field, "ID") || field == "Before" || field == "After" || field == "Around":
		return "81384788765712384"
	case strings.HasSuffix(field, "Token") || strings.HasSuffix(field, "Code"):
		return "none-" + request // what answers 404 once may be refused from then on
	case field == "Query":
		return "a b&c=ü"
	default:
		return "every-" + strings.ToLower(field)
	}
}

func number(field, request string) uint64 {
	switch {
	case field == "Type" && strings.HasPrefix(request, "StartThread"):
		return 11
	case field == "Type" && strings.Contains(request, "ApplicationCommand"), field == "Limit":
		return 1
	default:
		return 0
	}
}
