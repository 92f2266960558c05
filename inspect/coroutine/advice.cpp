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
  bool touched_later = false;
  std::string type;
  field_kind kind = field_kind::unnamed;
};

/// Variables of the same name are told apart by where they are declared.
using variable_key = std::pair<std::string, std::uint32_t>;

std::map<variable_key, variable_bytes> by_variable(const await_point& await) {
  std::map<variable_key, variable_bytes> all;
  for (const auto& part : await.variables) {
    if (part.kind != field_kind::local && part.kind != field_kind::parameter) continue;
    auto& one = all[{part.name, part.declared.line}];
    one.type = part.type;
    one.kind = part.kind;
    one.touched_later |= part.touched_later;
    if (part.state == byte_state::live) one.live += part.bytes;
    if (part.state == byte_state::held) one.held += part.bytes;
  }
  return all;
}

/// A variable over all awaits of the body.
struct variable_life {
  std::string type;
  std::uint64_t bytes = 0;
  bool needed = false;                  ///< used after one of the awaits
  const await_point* before = nullptr;  ///< the last await with a use afterwards that may be the first of all
  const await_point* last = nullptr;    ///< the first await without a use afterwards
};

std::string line_name(const await_point& await) { return fmt::format(":{}", await.where.line); }

/// A frame has one size: a variable leaves it only if it is needed across no await at all.
void advise_to_end(const std::map<variable_key, variable_life>& lives, std::vector<advice>& into) {
  for (const auto& [name, life] : lives) {
    if (life.needed || life.last == nullptr || life.bytes < least_bytes) continue;
    std::string message = fmt::format(
        "'{}' ({}) is kept across this await, but no use of it afterwards was seen: end its scope before the await",
        name.first, life.type);
    if (life.before != nullptr) message += fmt::format(", and begin it after the one at {}", line_name(*life.before));
    into.push_back({.where = life.last->where, .bytes = life.bytes, .certain = false, .message = std::move(message)});
  }
}

}  // namespace

std::vector<advice> advise(const coroutine& one) {
  std::vector<advice> found;
  if (one.made_by == producer::rustc) return found;
  std::map<std::string, std::pair<std::uint64_t, std::string>> parameters;
  std::map<variable_key, variable_life> lives;
  for (const auto& await : one.awaits) {
    if (await.kind != suspension::await || await.known_by == evidence::whole_frame) continue;
    for (const auto& [name, bytes] : by_variable(await)) {
      if (bytes.kind == field_kind::parameter && bytes.live + bytes.held >= least_bytes) {
        auto& most = parameters[name.first];
        most = {std::max(most.first, bytes.live + bytes.held), bytes.type};
      }
      if (bytes.kind != field_kind::local || bytes.live + bytes.held == 0) continue;
      auto& life = lives[name];
      life.type = bytes.type;
      life.bytes = std::max(life.bytes, bytes.live + bytes.held);
      if (bytes.live != 0 || (bytes.touched_later && life.last != nullptr)) {
        life.needed = true;
      } else if (bytes.touched_later) {
        life.before = &await;
      } else if (life.last == nullptr) {
        life.last = &await;
      }
    }
  }
  advise_to_end(lives, found);
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
