#include "options.hpp"

#include "state_folder.hpp"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string_view>

namespace service {

namespace {

constexpr int bad_usage = 2;
// Without clients the process holds about 8 MiB; with less than this it could hardly serve any.
constexpr std::size_t min_budget = std::size_t{32} << 20U;

std::unexpected<int> complain(const std::string& what) {
  std::fprintf(stderr, "service: %s; see service --help\n", what.c_str());
  return std::unexpected(bad_usage);
}

/// See sd_listen_fds(3): the first socket is descriptor 3.
bool is_socket_passed() {
  const char* const process = std::getenv("LISTEN_PID");  // NOLINT(concurrency-mt-unsafe): there is only one thread yet
  const char* const count = std::getenv("LISTEN_FDS");    // NOLINT(concurrency-mt-unsafe)
  return process != nullptr && process == std::to_string(::getpid()) && count != nullptr &&
         std::string_view(count) == "1";
}

}  // namespace

std::expected<std::size_t, std::string> parse_size(const std::string& text) {
  std::size_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [after, failure] = std::from_chars(text.data(), end, number);
  const std::string_view suffix(after, static_cast<std::size_t>(end - after));
  unsigned shift = 0;
  if (suffix == "K") shift = 10;
  if (suffix == "M") shift = 20;
  if (suffix == "G") shift = 30;
  const bool fits = number <= std::numeric_limits<std::size_t>::max() >> shift;
  if (failure != std::errc() || (!suffix.empty() && shift == 0) || !fits) {
    return std::unexpected("'" + text + "' is not a size: expected a number of bytes, such as 512M (K, M or G)");
  }
  return number << shift;
}

std::expected<options, int> parse_options(int argc, char** argv) {
  options chosen;
  std::string listen = chosen.listen.to_string();
  std::string budget = "512M";
  std::string identity;
  double grace = 0;
  CLI::App app("Items over HTTP: GET /items/{id}, POST /items, GET /healthz, GET /metrics, GET /debug/tasks.",
               "service");
  const auto* const database = app.add_option("--db", chosen.database, "sqlite:PATH, or postgresql://USER@HOST/NAME")
                                   ->default_str("sqlite:~/.local/state/tare/items.db, or there in $XDG_STATE_HOME");
  app.add_option("--listen", listen, "address and port, [::]:8080, unix:PATH, or systemd for the socket that it passes")
      ->capture_default_str();
  app.add_option("--shards", chosen.shards, "threads that serve; 0: one per processor")
      ->capture_default_str()
      ->check(CLI::Range(0U, 1024U));
  app.add_option("--budget", budget, "memory limit of the process, such as 512M")->capture_default_str();
  app.add_option("--connections", chosen.connections, "maximum number of database connections")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  app.add_option("--tls", identity, "serve HTTPS with the certificate chain and the private key in this PEM file");
  app.add_option("--grace", grace, "seconds to keep serving after SIGTERM while /healthz returns 503")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
  app.add_flag("--seed", chosen.seed, "insert some items into an empty database");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return std::unexpected(app.exit(success));
  } catch (const CLI::ParseError& wrong) {
    return complain(wrong.what());
  }
  if (listen == "systemd") {
    if (!is_socket_passed()) return complain("--listen systemd: systemd has passed no socket, or more than one");
    chosen.socket_passed = true;
  } else {
    const auto endpoint = tare::net::endpoint::parse(listen);
    if (!endpoint) {
      return complain("--listen: '" + listen + "' is not an address with a port: " + endpoint.error().message());
    }
    chosen.listen = *endpoint;
  }
  chosen.grace = std::chrono::milliseconds(static_cast<std::int64_t>(grace * 1000));
  if (!identity.empty()) {
    const auto made =
        tare::net::tls::context::server({.certificate = identity, .key = identity, .alpn = {"http/1.1", "http/1.0"}});
    if (!made)
      return complain("--tls: no certificate with its private key in " + identity + ": " + made.error().message());
    chosen.tls = *made;
  }
  const auto size = parse_size(budget);
  if (!size) return complain("--budget: " + size.error());
  if (*size < min_budget) return complain("--budget: must be at least 32M, not " + budget);
  chosen.budget = *size;
  if (database->empty()) {
    const auto folder = make_state_folder();
    if (!folder) return complain("--db is needed: " + folder.error());
    const std::string file = *folder / "items.db";
    chosen.database = "sqlite:" + file;
    std::fprintf(stderr, "service: the items are in %s\n", file.c_str());
  }
  return chosen;
}

}  // namespace service
