// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"encoding/xml"
	"net/netip"
	"net/url"
	"strings"
)

// Variables that tell the script of a java build of proxies: options for its JVMs, in the form of a file of options, and the
// part of Maven's settings. Maven takes the password of a proxy from there alone.
const (
	javaOptionsVariable  = "FABRIC_BUILDER_JAVA_OPTIONS"
	mavenProxiesVariable = "FABRIC_BUILDER_MAVEN_PROXIES"
)

// javaGiven tells every JVM of a build of the proxies and the CA bundle. It does so with a file of options, because a JVM prints
// the options in JAVA_TOOL_OPTIONS, and these may hold a password. JDK 8 ignores the file.
//
// A JVM trusts the certificates in one file, so a small program adds the bundle's to a copy of the image's own.
const javaGiven = `memory=` + MemoryDir + `
if [ -f ` + CABundleFile + ` ] || [ -n "$` + javaOptionsVariable + `" ]; then
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
without() { # beginning end: removes from text what they enclose
	while case $text in *"$1"*"$2"*) true ;; *) false ;; esac do
		rest=${text#*"$1"}
		text=${text%%"$1"*}${rest#*"$2"}
	done
}
if [ -n "$` + mavenProxiesVariable + `" ]; then
	settings=$HOME/.m2/settings.xml
	text=$(cat "$settings" 2>/dev/null) || text="<settings></settings>"
	without '<!--' '-->'
	case $text in
	*"<proxy>"*) ;; # of the image, or given as a secret
	*"</settings>"*)
		without '<proxies>' '</proxies>'
		without '<proxies/>' ''
		without '<proxies />' ''
		(umask 077 && printf '%s%s</settings>\n' "${text%</settings>*}" "$` + mavenProxiesVariable + `" >"$memory/settings.xml")
		mkdir -p "$HOME/.m2" && ln -sf "$memory/settings.xml" "$settings" || echo "cannot tell Maven of the proxies in $settings" >&2
		;;
	esac
fi
unset ` + javaOptionsVariable + ` ` + mavenProxiesVariable + ` ` + privateVariable + `
`

// javaProxies returns the variables that tell the script of a java build of the proxies in an environment. There are none if that
// names no proxy.
func javaProxies(e environment) []string {
	if options := javaProxyOptions(e); options != "" {
		return []string{javaOptionsVariable + "=" + options, mavenProxiesVariable + "=" + mavenProxies(e)}
	}
	return nil
}

// proxyOf returns the proxy for URLs with a scheme, or nil if there is none.
func proxyOf(e environment, scheme string) *url.URL {
	return parseProxy(firstValue(e, scheme+"_proxy", strings.ToUpper(scheme)+"_PROXY", "all_proxy", "ALL_PROXY"))
}

// mavenProxies returns the part of a settings.xml that names the proxies.
func mavenProxies(e environment) string {
	var text strings.Builder
	element := func(name, value string) {
		text.WriteString("<" + name + ">")
		_ = xml.EscapeText(&text, []byte(value)) // a Builder takes everything
		text.WriteString("</" + name + ">")
	}
	text.WriteString("<proxies>")
	for _, scheme := range []string{"http", "https"} {
		proxy := proxyOf(e, scheme)
		if proxy == nil {
			continue
		}
		text.WriteString("<proxy>")
		element("id", "given-"+scheme)
		element("protocol", scheme)
		element("host", proxy.Hostname())
		element("port", portOf(proxy))
		if proxy.User != nil {
			password, _ := proxy.User.Password()
			element("username", proxy.User.Username())
			element("password", password)
		}
		element("nonProxyHosts", nonProxyHosts(firstValue(e, "no_proxy", "NO_PROXY")))
		text.WriteString("</proxy>")
	}
	text.WriteString("</proxies>")
	return text.String()
}

// javaProxyOptions returns the options that tell a JVM of the proxies in an environment, and Maven's downloads to heed them. It
// is empty if there are none.
func javaProxyOptions(e environment) string {
	var options []string
	for _, scheme := range []string{"http", "https"} {
		proxy := proxyOf(e, scheme)
		if proxy == nil {
			continue
		}
		options = append(options, property(scheme+".proxyHost", proxy.Hostname()), property(scheme+".proxyPort", portOf(proxy)))
		if proxy.User != nil {
			password, _ := proxy.User.Password()
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

// property returns an option that sets a system property. Inside quotes, a file of options has no escapes, so a quote stands
// between quotes of the other kind.
func property(name, value string) string {
	return "-D" + name + `="` + strings.ReplaceAll(value, `"`, `"'"'"`) + `"`
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
