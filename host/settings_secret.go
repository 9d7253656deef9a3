package host

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	tokenVariable = "DISCORD_TOKEN"
	// secretLimit bounds a token file and an env_file: longer ones are something else.
	secretLimit = 64 << 10
	// readableByAll is the permission bit that a token file must not have.
	readableByAll = 0o004
)

// Token reads the bot's token from the token file, if one is set, and from the
// variable DISCORD_TOKEN of environ (NAME=value entries). White space round it
// and a leading "Bot " are dropped. Both may be given only if they agree, so that a
// bot never runs under a name that its operator did not expect.
//
// Errors name the source and the remedy, never a part of the token.
func (s Settings) Token(environ []string) (string, error) {
	given, inEnvironment := "", false
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, tokenVariable+"="); ok && strings.TrimSpace(value) != "" {
			given, inEnvironment = value, true
		}
	}
	if s.TokenFile == "" {
		if !inEnvironment {
			return "", errors.New("no bot token: set DISCORD_TOKEN, or give a file that holds it with --token-file")
		}
		return cleanToken(given, tokenVariable)
	}
	raw, err := readToken(s.TokenFile)
	if err != nil {
		return "", err
	}
	token, err := cleanToken(raw, "token file "+s.TokenFile)
	if err != nil || !inEnvironment {
		return token, err
	}
	if other, err := cleanToken(given, tokenVariable); err != nil || other != token {
		return "", fmt.Errorf("DISCORD_TOKEN and token file %s hold different tokens: unset DISCORD_TOKEN, or leave --token-file out", s.TokenFile)
	}
	return token, nil
}

func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("token file %s is missing: write the bot's token into it, or give another --token-file", path)
	}
	if err != nil {
		return "", fmt.Errorf("read token file %s: %w: make it readable for this user (chmod 600 %s)", path, bare(err), path)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read token file %s: %w", path, bare(err))
	}
	if info.IsDir() {
		return "", fmt.Errorf("token file %s is a folder: give the file that holds the token with --token-file", path)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&readableByAll != 0 {
		return "", fmt.Errorf("token file %s can be read by every user of this machine: chmod 600 %s", path, path)
	}
	return readSecret(f, "token file", path)
}

// readSecret reads a short file whole.
func readSecret(f *os.File, what, path string) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(f, secretLimit+1))
	if err != nil {
		return "", fmt.Errorf("read %s %s: %w: make it readable for this user", what, path, bare(err))
	}
	if len(raw) > secretLimit {
		return "", fmt.Errorf("%s %s is longer than %d bytes: it must be another file", what, path, secretLimit)
	}
	return string(raw), nil
}

// cleanToken drops what people copy along. A token goes into a header: anything
// but printable ASCII would be refused there with a less helpful message.
func cleanToken(raw, source string) (string, error) {
	token := strings.TrimSpace(strings.TrimPrefix(raw, "\ufeff"))
	token = strings.TrimSpace(strings.TrimPrefix(token, "Bot "))
	if token == "" || token == "Bot" {
		return "", fmt.Errorf("%s is empty: put the bot's token there (Discord's developer portal, page Bot, shows it once)", source)
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return "", fmt.Errorf("%s holds more than one token, or characters that no token has: put nothing but the bot's token there", source)
		}
	}
	return token, nil
}

// PluginEnv returns the variables for the plugin of this name as NAME=value
// entries, sorted by name: those of its env_file, then those of its env.
func (s Settings) PluginEnv(name string) ([]string, error) {
	p := s.Plugins[name]
	env := map[string]string{}
	if p.EnvFile != "" {
		if err := readEnvFile(p.EnvFile, env); err != nil {
			return nil, fmt.Errorf("plugin %s: %w", name, err)
		}
	}
	for key, value := range p.Env {
		if err := checkVariable(key, value); err != nil {
			return nil, fmt.Errorf("plugin %s: env: %w", name, err)
		}
		env[key] = value
	}
	entries := make([]string, 0, len(env))
	for key, value := range sorted(env) {
		entries = append(entries, key+"="+value)
	}
	return entries, nil
}

// readEnvFile reads NAME=value lines into env. Empty lines and those that begin
// with # are skipped, a leading "export " and one pair of quotes round a value
// are dropped; nothing is expanded.
func readEnvFile(path string, env map[string]string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read env_file %s: %w: make it readable for this user, or change the setting", path, bare(err))
	}
	defer f.Close()
	text, err := readSecret(f, "env_file", path)
	if err != nil {
		return err
	}
	var faults []error
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if !ok {
			faults = append(faults, fmt.Errorf("%s:%d: not a line like NAME=value", path, number))
			continue
		}
		name, value = strings.TrimSpace(name), unquote(strings.TrimSpace(value))
		if err := checkVariable(name, value); err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", path, number, err))
			continue
		}
		env[name] = value
	}
	return errors.Join(faults...)
}

func unquote(value string) string {
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}
