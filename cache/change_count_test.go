package cache

import "testing"

// TestCounts: how many there are is known from GUILD_CREATE on, and then true.
func TestCounts(t *testing.T) {
	const stages, sounds = "stage_instances", "soundboard_sounds"
	w := world{guild: 7, bodies: bodies{Guild: []byte(`{"id":"7"}`)}}
	create := `{"id":"7","guild_scheduled_events":[{"id":"1","name":"x"},{"id":"2"},{"id":"2"},{}],"stage_instances":[],"soundboard_sounds":[{"sound_id":"8"}]}`
	const first = `[{"id":"1"},{"id":"2"}]`
	steps := []struct{ event, data, scheduled, stages, sounds string }{
		{"GUILD_SCHEDULED_EVENT_CREATE", `{"id":"1","guild_id":"7","status":1}`, "", "", ""}, // how many more is not known
		{"GUILD_SOUNDBOARD_SOUND_CREATE", `{"sound_id":"1","guild_id":"7"}`, "", "", ""},
		{"SOUNDBOARD_SOUNDS", `{"guild_id":"7","soundboard_sounds":[{"sound_id":"4"}]}`, "", "", `[{"sound_id":"4"}]`},
		{"GUILD_CREATE", create, first, `[]`, `[{"sound_id":"8"}]`},
		{"GUILD_SCHEDULED_EVENT_UPDATE", `{"id":"1","guild_id":"7","status":2}`, first, `[]`, `[{"sound_id":"8"}]`},
		{"GUILD_SCHEDULED_EVENT_CREATE", `{"id":"3","guild_id":"7","status":1}`, `[{"id":"1"},{"id":"2"},{"id":"3"}]`, `[]`, `[{"sound_id":"8"}]`},
		{"GUILD_SCHEDULED_EVENT_UPDATE", `{"id":"1","guild_id":"7","status":3}`, `[{"id":"2"},{"id":"3"}]`, `[]`, `[{"sound_id":"8"}]`},
		{"GUILD_SCHEDULED_EVENT_UPDATE", `{"id":"2","guild_id":"7","status":4}`, `[{"id":"3"}]`, `[]`, `[{"sound_id":"8"}]`},
		{"GUILD_SCHEDULED_EVENT_DELETE", `{"id":"3","guild_id":"7","status":1}`, `[]`, `[]`, `[{"sound_id":"8"}]`},
		{"GUILD_SCHEDULED_EVENT_DELETE", `{"id":"3","guild_id":"7","status":1}`, `[]`, `[]`, `[{"sound_id":"8"}]`},
		{"STAGE_INSTANCE_CREATE", `{"id":"5","guild_id":"7"}`, `[]`, `[{"id":"5"}]`, `[{"sound_id":"8"}]`},
		{"STAGE_INSTANCE_UPDATE", `{"id":"5","guild_id":"7"}`, `[]`, `[{"id":"5"}]`, `[{"sound_id":"8"}]`},
		{"STAGE_INSTANCE_DELETE", `{"id":"5","guild_id":"7"}`, `[]`, `[]`, `[{"sound_id":"8"}]`},
		{"GUILD_SOUNDBOARD_SOUNDS_UPDATE", `{"guild_id":"7","soundboard_sounds":[{"sound_id":"8"},{"sound_id":"9"}]}`, `[]`, `[]`, `[{"sound_id":"8"},{"sound_id":"9"}]`},
		{"GUILD_SOUNDBOARD_SOUND_UPDATE", `{"guild_id":"7","sound_id":"9"}`, `[]`, `[]`, `[{"sound_id":"8"},{"sound_id":"9"}]`},
		{"GUILD_SOUNDBOARD_SOUND_DELETE", `{"guild_id":"7","sound_id":"8"}`, `[]`, `[]`, `[{"sound_id":"9"}]`},
		{"GUILD_UPDATE", `{"id":"7","stage_instances":[{"id":"1"}]}`, `[]`, `[]`, `[{"sound_id":"9"}]`},
		{"GUILD_CREATE", `{"id":"7","stage_instances":[{"id":"1"}]}`, "", `[{"id":"1"}]`, ""}, // the others it does not tell
	}
	for i, s := range steps {
		w.apply(event{s.event, []byte(s.data)})
		for name, want := range map[string]string{"guild_scheduled_events": s.scheduled, stages: s.stages, sounds: s.sounds} {
			if got := string(field(w.Guild, name)); got != want {
				t.Fatalf("step %d, %s: %s are %s, want %s", i, s.event, name, got, want)
			}
		}
	}
}
