package sshconfig

import "strings"

// keywordTable lists the keywords of ssh_config: those of OpenSSH, newest
// release included, and those that Debian, Fedora and Apple add. Behind each
// stands the form of its value, or = and the keyword that it is another name
// for. A + marks the keywords that count here; the values of all others are
// only checked.
const keywordTable = `
AddKeysToAgent addkeys
AddressFamily + choice any inet inet6
BatchMode flag
BindAddress + text
BindInterface + text
CanonicalDomains + domains
CanonicalizeFallbackLocal + flag
CanonicalizeHostname + choice yes no true false always
CanonicalizeMaxDots + number
CanonicalizePermittedCNAMEs + aliases
CASignatureAlgorithms + keys
CertificateFile + text
ChallengeResponseAuthentication = KbdInteractiveAuthentication
ChannelTimeout any
CheckHostIP flag
Cipher any
Ciphers + ciphers
ClearAllForwardings flag
Compression choice yes no
CompressionLevel any
ConnectionAttempts number
ConnectTimeout + time
ControlMaster choice yes no true false auto ask autoask
ControlPath text
ControlPersist persist
DSAAuthentication = PubkeyAuthentication
DynamicForward listen
EnableEscapeCommandline flag
EnableSSHKeysign flag
EscapeChar escape
ExitOnForwardFailure flag
FallBackToRsh any
FingerprintHash choice md5 sha1 sha256 sha384 sha512
ForkAfterAuthentication flag
ForwardAgent agentflag
ForwardX11 flag
ForwardX11Timeout time
ForwardX11Trusted flag
GatewayPorts flag
GlobalKnownHostsFile + files
GlobalKnownHostsFile2 any
GSSAPIAuthentication flag
GSSAPIClientIdentity text
GSSAPIDelegateCredentials flag
GSSAPIKexAlgorithms text
GSSAPIKeyExchange flag
GSSAPIRenewalForcesRekey flag
GSSAPIServerIdentity text
GSSAPITrustDNS flag
HashKnownHosts + flag
Host host
HostbasedAcceptedAlgorithms keys
HostbasedAuthentication flag
HostbasedKeyTypes = HostbasedAcceptedAlgorithms
HostKeyAlgorithms + keys
HostKeyAlias + text
HostName + text
IdentitiesOnly + flag
IdentityAgent + agent
IdentityFile + text
IdentityFile2 = IdentityFile
IgnoreUnknown + text
Include include
IPQoS qos
KbdInteractiveAuthentication flag
KbdInteractiveDevices text
KeepAlive = TCPKeepAlive
KerberosAuthentication any
KerberosTGTPassing any
AFSTokenPassing any
KexAlgorithms + kex
KnownHostsCommand + command
LocalCommand command
LocalForward forward
LogLevel choice quiet fatal error info verbose debug debug1 debug2 debug3
LogVerbose files
MACs + macs
Match match
NoHostAuthenticationForLocalhost flag
NumberOfPasswordPrompts number
ObscureKeystrokeTiming any
PasswordAuthentication flag
PermitLocalCommand flag
PermitRemoteOpen opens
PKCS11Provider text
Port + port
PreferredAuthentications + text
Protocol any
ProtocolKeepAlives = ServerAliveInterval
ProxyCommand + command
ProxyJump + jump
ProxyUseFdpass flag
PubkeyAcceptedAlgorithms + keys
PubkeyAcceptedKeyTypes = PubkeyAcceptedAlgorithms
PubkeyAuthentication + choice yes no true false unbound host-bound
RefuseConnection + text
RekeyLimit rekey
RemoteCommand command
RemoteForward forward
RequestTTY choice yes no true false force auto
RequiredRSASize + number
RevokedHostKeys + text
RhostsAuthentication any
RhostsRSAAuthentication any
RSAAuthentication any
RSAMinSize = RequiredRSASize
SecurityKeyProvider text
SendEnv names
ServerAliveCountMax + number
ServerAliveInterval + time
SessionType choice none subsystem default
SetEnv settings
SetupTimeOut = ServerAliveInterval
SKeyAuthentication = KbdInteractiveAuthentication
SmartcardDevice = PKCS11Provider
StdinNull flag
StreamLocalBindMask mask
StreamLocalBindUnlink flag
StrictHostKeyChecking + choice yes no true false ask off accept-new
SyslogFacility choice daemon user auth authpriv local0 local1 local2 local3 local4 local5 local6 local7
Tag + text
TCPKeepAlive flag
TISAuthentication = KbdInteractiveAuthentication
Tunnel choice yes no true false ethernet point-to-point
TunnelDevice device
UpdateHostKeys choice yes no true false ask
UseKeychain flag
User + text
UseRoaming any
UseRsh any
UsePrivilegedPort any
UserKnownHostsFile + files
UserKnownHostsFile2 any
VerifyHostKeyDNS choice yes no true false ask
VersionAddendum any
VisualHostKey flag
WarnWeakCrypto any
XAuthLocation text
`

// keyword is a line of the table.
type keyword struct {
	// name is the keyword as its manual spells it, key in lower case.
	name, key string
	form      string
	choices   []string
	// counts: its value makes a difference here.
	counts bool
}

// keywords returns the table by keyword in lower case.
func keywords() map[string]keyword {
	table := map[string]keyword{}
	same := map[string]string{}
	for line := range strings.Lines(strings.TrimSpace(keywordTable)) {
		words := strings.Fields(line)
		k := keyword{name: words[0], key: lower(words[0]), form: words[1], choices: words[2:]}
		switch words[1] {
		case "=":
			same[k.key] = lower(words[2])
			continue
		case "+":
			k.counts, k.form, k.choices = true, words[2], words[3:]
		}
		if k.form == "flag" {
			k.form, k.choices = "choice", []string{"yes", "no", "true", "false"}
		}
		table[k.key] = k
	}
	for other, key := range same {
		table[other] = table[key]
	}
	return table
}
