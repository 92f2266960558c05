// Any input is either a valid list of peers, or an error that names the file and a line.

#include "measure/weigh/peers.hpp"

#include "fuzz/check.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {  // NOLINT
  using tare::base::fault;
  const auto list = tare::measure::parse_peers({reinterpret_cast<const char*>(data), size}, "peers.toml");
  if (!list) {
    check(list.error().kind == fault::input);
    check(list.error().message.starts_with("peers.toml:"));
    return 0;
  }
  check(!list->peers.empty());
  for (const auto& peer : list->peers) {
    check(!peer.name.empty());
    const bool takes_count = tare::measure::command{.arguments = peer.run, .directory = {}}.takes_count();
    check(takes_count || peer.is_server());
    check(peer.kinds.empty() != peer.is_server());
    check(!peer.max_n || *peer.max_n > 0);
    for (const auto& need : peer.needs) check(!need.name.empty() && !need.hint.empty());
  }
  return 0;
}
