#include "inspect/coroutine/advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace tare::inspect {
namespace {

constexpr std::uint64_t least_bytes = 32;

/// Bytes of one variable at one await, by state.
struct variable_bytes {
  std::uint64_t live = 0;
  std::uint64_t held = 0;
  std::string type;
  field_kind kind = field_kind::unnamed;
  source_line declared;
};

std::map<std::string, variable_bytes> by_variable(const await_point& await) {
  std::map<std::string, variable_bytes> all;
  for (const auto& part : await.variables) {
    if (part.kind != field_kind::local && part.kind != field_kind::parameter) continue;
    auto& one = all[part.name];
    one.type = part.type;
    one.kind = part.kind;
    one.declared = part.declared;
    if (part.state == byte_state::live) one.live += part.bytes;
    if (part.state == byte_state::held) one.held += part.bytes;
  }
  return all;
}

}  // namespace

std::vector<advice> advise(const coroutine& one) {
  std::vector<advice> found;
  if (one.made_by == producer::rustc) return found;
  std::map<std::string, std::pair<std::uint64_t, std::string>> parameters;
  for (const auto& await : one.awaits) {
    if (await.kind != suspension::await || await.known_by == evidence::whole_frame) continue;
    for (const auto& [name, bytes] : by_variable(await)) {
      if (bytes.kind == field_kind::parameter && bytes.live + bytes.held >= least_bytes) {
        auto& most = parameters[name];
        most = {std::max(most.first, bytes.live + bytes.held), bytes.type};
      }
      // In scope across the await, and no use of it afterwards.
      if (bytes.kind != field_kind::local || bytes.live != 0 || bytes.held < least_bytes) continue;
      found.push_back({.where = await.where,
                       .bytes = bytes.held,
                       .certain = false,
                       .message = fmt::format("'{}' ({}) is kept across this await, but no use of it afterwards was "
                                              "seen: end its scope before the await",
                                              name, bytes.type)});
    }
  }
  for (const auto& [name, most] : parameters) {
    found.push_back(
        {.where = one.declared,
         .bytes = most.first,
         .certain = true,
         .message = fmt::format("the parameter '{}' ({}) is copied into the frame: a reference takes 8 bytes, "
                                "if the caller's object lives long enough",
                                name, most.second)});
  }
  std::ranges::sort(found, [](const advice& a, const advice& b) {
    return std::tie(b.bytes, a.where.line, a.message) < std::tie(a.bytes, b.where.line, b.message);
  });
  return found;
}

}  // namespace tare::inspect
