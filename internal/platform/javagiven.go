package platform

import (
	"net/netip"
	"net/url"
	"strings"
)

// javaOptionsVariable is the variable that holds options for the JVMs of a build, in the form of a file of options.
const javaOptionsVariable = "FABRIC_BUILDER_JAVA_OPTIONS"

// javaGiven tells every JVM of a build of the proxies and the CA bundle. It does so with a file of options, because a JVM prints
// the options in JAVA_TOOL_OPTIONS, and these may hold a password. JDK 8 ignores the file.
//
// A JVM trusts the certificates in one file, so a small program adds the bundle's to a copy of the image's own.
const javaGiven = `if [ -f ` + CABundleFile + ` ] || [ -n "$` + javaOptionsVariable + `" ]; then
	memory=` + MemoryDir + `
	(umask 077 && printf '%s\n' "$` + javaOptionsVariable + `" >"$memory/java")
	if [ -f ` + CABundleFile + ` ]; then
		cat >"$memory/Trust.java" <<'end'
import java.io.*;
import java.security.KeyStore;
import java.security.cert.*;
class Trust {
	public static void main(String[] args) throws Exception {
		KeyStore store = KeyStore.getInstance("JKS");
		store.load(null, null);
		for (String dir : new String[] {"/lib/security/", "/jre/lib/security/"}) {
			File own = new File(System.getProperty("java.home") + dir + "cacerts");
			if (own.exists()) {
				try (InputStream in = new FileInputStream(own)) {
					store.load(in, null);
				}
				break;
			}
		}
		try (InputStream in = new FileInputStream(args[0])) {
			int count = 0;
			for (Certificate certificate : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
				store.setCertificateEntry("given-" + count++, certificate);
			}
		}
		try (OutputStream out = new FileOutputStream(args[1])) {
			store.store(out, "changeit".toCharArray());
		}
	}
}
end
		if javac -J-XX:TieredStopAtLevel=1 -d "$memory" "$memory/Trust.java" &&
			java -XX:TieredStopAtLevel=1 -cp "$memory" Trust ` + CABundleFile + ` "$memory/trust.jks"; then
			echo "-Djavax.net.ssl.trustStore=$memory/trust.jks -Djavax.net.ssl.trustStoreType=JKS -Djavax.net.ssl.trustStorePassword=changeit" >>"$memory/java"
		else
			echo "cannot make Java trust the certificates of builder.build.caBundle" >&2
		fi
	fi
	export JAVA_TOOL_OPTIONS="-XX:+IgnoreUnrecognizedVMOptions -XX:VMOptionsFile=$memory/java $JAVA_TOOL_OPTIONS"
fi
unset ` + javaOptionsVariable + `
`

// javaProxyOptions returns the options that tell a JVM of the proxies in an environment, and Maven's downloads to heed them. It
// is empty if there are none.
func javaProxyOptions(e environment) string {
	var options []string
	for _, scheme := range []string{"http", "https"} {
		proxy := parseProxy(firstValue(e, scheme+"_proxy", strings.ToUpper(scheme)+"_PROXY", "all_proxy", "ALL_PROXY"))
		if proxy == nil {
			continue
		}
		options = append(options, property(scheme+".proxyHost", proxy.Hostname()), property(scheme+".proxyPort", portOf(proxy)))
		if password, ok := proxy.User.Password(); ok {
			options = append(options, property(scheme+".proxyUser", proxy.User.Username()), property(scheme+".proxyPassword", password))
		}
	}
	if len(options) == 0 {
		return ""
	}
	return strings.Join(append(options,
		property("http.nonProxyHosts", nonProxyHosts(firstValue(e, "no_proxy", "NO_PROXY"))),
		property("jdk.http.auth.tunneling.disabledSchemes", ""), // Basic is disabled by default
		property("aether.connector.http.useSystemProperties", "true"),
		property("aether.transport.http.useSystemProperties", "true"),
	), " ")
}

// property returns an option that sets a system property. Inside quotes, a file of options has no escapes.
func property(name, value string) string {
	quote := `"`
	if strings.Contains(value, quote) {
		quote = "'"
	}
	return "-D" + name + "=" + quote + value + quote
}

func firstValue(e environment, names ...string) string {
	for _, name := range names {
		if value := e.value(name); value != "" {
			return value
		}
	}
	return ""
}

// parseProxy returns the URL of an HTTP proxy, or nil if there is none.
func parseProxy(text string) *url.URL {
	if text != "" && !strings.Contains(text, "://") {
		text = "http://" + text
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Hostname() == "" || !strings.HasPrefix(parsed.Scheme, "http") {
		return nil
	}
	return parsed
}

func portOf(proxy *url.URL) string {
	switch {
	case proxy.Port() != "":
		return proxy.Port()
	case proxy.Scheme == "https":
		return "443"
	}
	return "80"
}

// nonProxyHosts returns the hosts of NO_PROXY in Java's form, besides those that Java itself never asks a proxy for. NO_PROXY
// includes the subdomains of a name, and a JVM knows no ranges of addresses.
func nonProxyHosts(noProxy string) string {
	hosts := []string{"localhost", "127.*", "[::1]"}
	for _, host := range strings.FieldsFunc(noProxy, func(c rune) bool { return c == ',' || c == ' ' }) {
		host = strings.TrimPrefix(host, "*.")
		host = strings.TrimPrefix(host, ".")
		if name, port, ok := strings.Cut(host, ":"); ok && !strings.Contains(port, ":") {
			host = name
		}
		switch {
		case strings.Contains(host, "/"):
		case host == "*" || isAddress(host):
			hosts = append(hosts, host)
		case host != "":
			hosts = append(hosts, host, "*."+host)
		}
	}
	return strings.Join(hosts, "|")
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}
