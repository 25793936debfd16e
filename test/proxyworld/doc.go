// SPDX-License-Identifier: Apache-2.0

// Package proxyworld is a company's network for tests: a forward proxy that looks into TLS, and private registries of Go
// modules, npm packages and Maven artifacts with passwords. Their certificates are of a CA of the tests' own.
//
//	ca := proxyworld.NewCA(t)
//	modules := proxyworld.RequireBasic(proxyworld.GoModules{…}, "ada", "secret")
//	proxy := proxyworld.StartProxy(t, ca, proxyworld.ProxyOptions{Hosts: map[string]http.Handler{"go.example.test": modules}})
//	… HTTPS_PROXY=proxy.URL(), trusting ca.PEM()
//
// Whatever a registry does not hold itself, it can pass on to another, see [PassOn].
package proxyworld
