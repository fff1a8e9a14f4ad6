package sshconfig

func (w *writer) settingAndValue() (key, value string) {
	if key, value = w.setting(); value == "" {
		value = w.value(key)
	}
	return key, value
}

// setting is an option and its value, quoted as in a file; the value may be
// missing.
func (w *writer) setting() (key, value string) {
	switch w.IntN(40) {
	case 0, 1, 2:
		return "HostName", w.quoted(w.pick("%h.example.com", "target", "TARGET.Example.com", "10.0.0.7", "127.1", "%h", "a%%b", "::1", "foo"))
	case 3, 4:
		return "User", w.quoted(w.user())
	case 5, 6:
		return "Port", w.quoted(w.pick("22", "2222", "ssh", "022", "https", "65535"))
	case 7, 8, 9:
		return "IdentityFile", w.pick("~/.ssh/id_a", "~/.ssh/id_b", "none", `"~/my keys/id"`, "%d/.ssh/%r-%h", "/keys/%n-%p-%k", `'/keys/it"s'`, `/keys/a\ b`, "${KEYS}/id", "/keys/%u%i%L%l%%%C", "relative")
	case 10:
		return "CertificateFile", w.pick("~/.ssh/id_a-cert.pub", "/keys/%h-cert.pub", `"a b"`)
	case 11:
		return "IdentitiesOnly", w.flag()
	case 12, 13:
		return "IdentityAgent", w.pick("none", "SSH_AUTH_SOCK", "$OTHER_SOCK", "~/.agent", `"~/Library/Group Containers/agent.sock"`, "/run/%u/%h", "${KEYS}/agent", "%d/%k")
	case 14, 15:
		return "UserKnownHostsFile", w.pick("~/.ssh/known_hosts", "/dev/null", "none", "~/.ssh/a ~/.ssh/b", `"~/with blank" /x`, "%d/known/%k", "${KEYS}/known_%h", "~root/known")
	case 16:
		return "GlobalKnownHostsFile", w.pick("/etc/known", "none", "/a /b", "~/known", "%d/x")
	case 17:
		return "StrictHostKeyChecking", w.pick("yes", "ask", "accept-new", "Accept-New", "true", "yes", "ask", "no", "off")
	case 18:
		return "HostKeyAlias", w.quoted(w.pick("alias", "Alias.Example", "%h"))
	case 19:
		return "HostKeyAlgorithms", w.pick("ssh-ed25519", "+ssh-rsa", "-ecdsa*", "^ssh-ed25519,rsa-sha2-512", "ssh-ed25519,ssh-rsa", "ecdsa-*", "-*cert*", "ssh-rsa,ssh-dss")
	case 20:
		return "PubkeyAcceptedAlgorithms", w.pick("+ssh-rsa", "ssh-ed25519", "-rsa*", "^ssh-ed25519", "ssh-*,rsa-*")
	case 21:
		return "KexAlgorithms", w.pick("curve25519-sha256", "+diffie-hellman-group14-sha1", "-*nistp*", "^ecdh-sha2-nistp256", "diffie-hellman-group18-sha512,curve25519-sha256@libssh.org", "-diffie*,ecdh*")
	case 22:
		return "Ciphers", w.pick("aes256-ctr,aes128-ctr", "+aes128-cbc,3des-cbc", "-chacha20*", "^chacha20-poly1305@openssh.com", "aes192-cbc", "-*")
	case 23:
		return "MACs", w.pick("hmac-sha2-256", "+hmac-md5", "-hmac-sha1*", "^hmac-sha2-512", "hmac-sha1-96,hmac-sha2-512-etm@openssh.com", "umac-64@openssh.com")
	case 24:
		return "CASignatureAlgorithms", w.pick("ssh-ed25519", "+ssh-rsa", "-ecdsa*", "^rsa-sha2-512")
	case 25:
		return "ConnectTimeout", w.pick("5", "10s", "1m30s", "none", "2H", "0")
	case 26:
		return w.pick("ServerAliveInterval", "ServerAliveInterval", "SetupTimeOut"), w.pick("0", "30", "1m", "none", "5")
	case 27:
		return "ServerAliveCountMax", w.pick("0", "3", "10")
	case 28:
		return "AddressFamily", w.pick("any", "inet", "inet6", "INET")
	case 29:
		return w.pick("BindAddress", "BindInterface"), w.pick("127.0.0.1", "lo", "eth0")
	case 30:
		return w.pick("HashKnownHosts", "BatchMode", "ForwardAgent", "Compression", "TCPKeepAlive", "VisualHostKey"), w.pick("yes", "no")
	case 31, 32:
		return "CanonicalizeHostname", w.pick("yes", "no", "always", "true", "yes")
	case 33:
		return "CanonicalDomains", w.pick("example.test", "nowhere.test example.test", "none", "Example.Test.", "nowhere.test")
	case 34:
		return w.pick("CanonicalizePermittedCNAMEs", "CanonicalizeMaxDots", "CanonicalizeFallbackLocal"), ""
	case 35:
		return w.pick("PubkeyAuthentication", "PreferredAuthentications", "RevokedHostKeys", "KnownHostsCommand", "RequiredRSASize"), ""
	case 36:
		return "IgnoreUnknown", w.pick("UseKeychain", "Nonsense,*X*", "none*")
	case 37:
		return "LocalForward", w.pick("8080 localhost:80", "[::1]:8080 localhost:80", "/run/a /run/b", "127.0.0.1:8080 [::1]:80", "8080 /run/b")
	}
	return w.pick("LogLevel", "SendEnv", "SetEnv", "ControlMaster", "ControlPath", "ControlPersist", "AddKeysToAgent", "RemoteForward", "DynamicForward",
		"ForwardX11", "GSSAPIAuthentication", "RekeyLimit", "IPQoS", "EscapeChar", "UpdateHostKeys", "RequestTTY", "PermitLocalCommand", "LocalCommand",
		"ForwardAgent", "VerifyHostKeyDNS", "CheckHostIP", "ConnectionAttempts", "Tunnel", "TunnelDevice", "StreamLocalBindMask", "XAuthLocation",
		"PermitRemoteOpen", "NumberOfPasswordPrompts", "FingerprintHash", "SyslogFacility", "HostbasedKeyTypes", "SessionType", "ExitOnForwardFailure"), ""
}

// value of the settings whose choices depend on the keyword.
func (w *writer) value(key string) string {
	switch key {
	case "CanonicalizePermittedCNAMEs":
		return w.pick("*:*", "*.example.test:*.example.test", "none", "*", "alias*:real*")
	case "CanonicalizeMaxDots":
		return w.pick("0", "1", "2")
	case "PubkeyAuthentication":
		return w.pick("yes", "no", "host-bound", "unbound", "yes", "yes")
	case "PreferredAuthentications":
		return w.pick("publickey", "publickey,password", "gssapi-with-mic,publickey", "password")
	case "RevokedHostKeys":
		return w.pick("none", "~/revoked", "/etc/ssh/revoked")
	case "KnownHostsCommand":
		return w.pick("none", "/usr/bin/sss_ssh_knownhosts %H")
	case "RequiredRSASize":
		return w.pick("2048", "3072")
	case "LogLevel":
		return w.pick("ERROR", "quiet", "Debug3")
	case "SendEnv":
		return w.pick("LANG LC_*", "-LANG", "A")
	case "SetEnv":
		return w.pick("A=b", `A="b c" D=e`)
	case "ControlMaster":
		return w.pick("auto", "yes", "autoask")
	case "ControlPath", "XAuthLocation":
		return w.pick("~/.ssh/%r@%h:%p", "/tmp/%C", "none")
	case "ControlPersist":
		return w.pick("yes", "10m", "0", "no")
	case "AddKeysToAgent":
		return w.pick("yes", "ask", "confirm", "confirm 5m", "1h", "no")
	case "RemoteForward":
		return w.pick("8080 localhost:80", "1080", "0 a:1", "/run/a 127.0.0.1:80")
	case "DynamicForward":
		return w.pick("1080", "localhost:1080", "[::1]:1080", "*:1080")
	case "RekeyLimit":
		return w.pick("1G 1h", "default none", "500M", "default 30m")
	case "IPQoS":
		return w.pick("af21 cs1", "lowdelay throughput", "0x10", "none", "ef")
	case "EscapeChar":
		return w.pick("none", "~", "^b")
	case "RequestTTY":
		return w.pick("auto", "force", "no")
	case "LocalCommand":
		return w.pick("echo 'a", "echo %h", "none")
	case "ForwardAgent":
		return w.pick("yes", "no", "$SSH_AUTH_SOCK", "${KEYS}/agent")
	case "VerifyHostKeyDNS", "UpdateHostKeys":
		return w.pick("yes", "no", "ask")
	case "ConnectionAttempts", "NumberOfPasswordPrompts":
		return w.pick("1", "3")
	case "Tunnel":
		return w.pick("yes", "point-to-point", "no")
	case "TunnelDevice":
		return w.pick("any", "0:1", "any:any", "3")
	case "StreamLocalBindMask":
		return w.pick("0177", "077")
	case "PermitRemoteOpen":
		return w.pick("any", "localhost:80 [::1]:*", "none")
	case "FingerprintHash":
		return w.pick("sha256", "MD5")
	case "SyslogFacility":
		return w.pick("USER", "local7")
	case "HostbasedKeyTypes":
		return w.pick("ssh-ed25519", "+ssh-rsa")
	case "SessionType":
		return w.pick("none", "default")
	}
	return w.flag()
}

func (w *writer) flag() string { return w.pick("yes", "no", "Yes", "true", "FALSE") }
