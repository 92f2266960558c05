#include "options.hpp"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <utility>

namespace push {

namespace {

using tare::http::slow_subscriber;

constexpr int bad_usage = 2;
// Without clients the process holds about 8 MiB; with less than this it could hardly serve any.
constexpr std::size_t min_budget = std::size_t{32} << 20U;

struct arguments {
  std::string listen;
  std::string identity;
  std::string token_file;
  double write_timeout = 30;
  double grace = 0;
  std::int64_t history_seconds = 600;
};

std::unexpected<int> complain(const std::string& what) {
  std::fprintf(stderr, "push: %s; see push --help\n", what.c_str());
  return std::unexpected(bad_usage);
}

std::chrono::milliseconds milliseconds_of(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

void add_limits(CLI::App& to, options& chosen, arguments& given) {
  const std::map<std::string, slow_subscriber> policies{{"drop-oldest", slow_subscriber::drop_oldest},
                                                        {"latest-only", slow_subscriber::latest_only},
                                                        {"disconnect", slow_subscriber::disconnect}};
  const CLI::AsSizeValue size(false);
  const CLI::Range is_possible(std::size_t{0}, std::size_t{1} << 40U);  // AsSizeValue takes "-1" for a large number
  to.add_option("--budget", chosen.budget, "memory limit of the process, such as 512M")
      ->default_str("512M")
      ->transform(size)
      ->check(is_possible);
  to.add_option("--max-event", chosen.max_event_bytes, "maximum size of an event's data")
      ->default_str("64K")
      ->transform(size)
      ->check(CLI::Range(std::size_t{1}, std::size_t{16} << 20U));
  to.add_option("--max-topics", chosen.limits.max_topics, "maximum number of topics")
      ->capture_default_str()
      ->check(CLI::Range(std::size_t{1}, std::size_t{10'000'000}));
  to.add_option("--history", chosen.limits.each.history_bytes,
                "bytes that each topic keeps for clients that connect again; 0: none")
      ->default_str("256K")
      ->transform(size)
      ->check(is_possible);
  to.add_option("--history-time", given.history_seconds,
                "seconds that the history of a topic without subscribers is kept")
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{30} * 86'400));
  to.add_option("--backlog", chosen.limits.each.max_backlog_bytes,
                "bytes that each topic keeps for all its slow subscribers together")
      ->default_str("1M")
      ->transform(size)
      ->check(is_possible);
  to.add_option("--slow", chosen.limits.each.slow, "what happens to a subscriber that falls behind by more")
      ->default_str("disconnect")
      ->transform(CLI::CheckedTransformer(policies).description("drop-oldest, latest-only or disconnect"));
  to.add_option("--send-buffer", chosen.send_buffer_bytes,
                "bytes that the kernel may hold for a subscriber that does not read; 0: the kernel's choice")
      ->default_str("16K")
      ->transform(size)
      ->check(CLI::Range(std::uint32_t{0}, std::uint32_t{1} << 30U));
  to.add_option("--write-timeout", given.write_timeout, "seconds that a client has to accept 64 KiB")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0));
}

/// The first line.
std::expected<std::string, int> read_token(const std::string& file) {
  std::ifstream in(file);
  std::string token;
  if (!std::getline(in, token) || token.empty()) return complain("--token: there is no token in " + file);
  return token;
}

}  // namespace

std::expected<options, int> parse_options(int argc, char** argv) {
  options chosen;
  chosen.limits.each = {.slow = slow_subscriber::disconnect, .history_bytes = std::size_t{256} << 10U};
  arguments given;
  given.listen = chosen.listen.to_string();
  CLI::App app("Pushes events to WebSockets, event streams and long polls: POST /topics/NAME publishes.", "push");
  app.add_option("--listen", given.listen, "address and port, [::]:8080, or unix:PATH")->capture_default_str();
  app.add_option("--tls", given.identity,
                 "serve HTTPS with the certificate chain and the private key in this PEM file");
  app.add_option("--token", given.token_file, "publishers must send the first line of this file as a bearer token");
  app.add_option("--origin", chosen.allowed.origins,
                 "pages of this origin may connect and publish, too, such as https://example.com; may be repeated");
  app.add_option("--grace", given.grace, "seconds to keep serving after SIGTERM while /healthz returns 503")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
  app.add_option("--nats", chosen.nats, "share the events with other gateways by NATS JetStream: nats://HOST:PORT");
  app.add_option("--stream", chosen.stream, "name of the stream there; it is created if it does not exist")
      ->capture_default_str();
  add_limits(app, chosen, given);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return std::unexpected(app.exit(success));
  } catch (const CLI::ParseError& wrong) {
    return complain(wrong.what());
  }
  const auto endpoint = tare::net::endpoint::parse(given.listen);
  if (!endpoint) {
    return complain("--listen: '" + given.listen + "' is not an address with a port: " + endpoint.error().message());
  }
  chosen.listen = *endpoint;
  chosen.grace = milliseconds_of(given.grace);
  chosen.write_timeout = milliseconds_of(given.write_timeout);
  chosen.limits.history_time = std::chrono::seconds(given.history_seconds);
  if (!is_topic_name(chosen.stream)) return complain("--stream: not a name: " + chosen.stream);
  chosen.limits.idle_history_bytes = chosen.budget / 4;
  if (chosen.budget < min_budget) return complain("--budget: must be at least 32M");
  if (!given.token_file.empty()) {
    auto token = read_token(given.token_file);
    if (!token) return std::unexpected(token.error());
    chosen.allowed.token = *std::move(token);
  }
  if (!given.identity.empty()) {
    const auto made = tare::net::tls::context::server(
        {.certificate = given.identity, .key = given.identity, .alpn = {"http/1.1", "http/1.0"}});
    if (!made) {
      return complain("--tls: no certificate with its private key in " + given.identity + ": " +
                      made.error().message());
    }
    chosen.tls = *made;
  }
  return chosen;
}

}  // namespace push
