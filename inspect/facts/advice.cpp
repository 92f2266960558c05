#include "inspect/facts/advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace tare::inspect {
namespace {

constexpr std::uint64_t min_bytes = 32;
/// The bytes that remain when something is moved out of a frame: a reference or a handle.
constexpr std::uint64_t handle_bytes = 8;

/// Bytes of one variable at one await, by state.
struct variable_bytes {
  std::uint64_t live = 0;
  std::uint64_t held = 0;
  bool touched_later = false;
  bool lent = false;
  std::string type;
  field_kind kind = field_kind::unnamed;
};

/// Variables with the same name are distinguished by their declaration.
using variable_key = std::pair<std::string, std::uint32_t>;

std::map<variable_key, variable_bytes> by_variable(const await_point& await) {
  std::map<variable_key, variable_bytes> all;
  for (const auto& part : await.variables) {
    if (part.kind != field_kind::local && part.kind != field_kind::parameter) continue;
    auto& current = all[{part.name, part.declared.line}];
    current.type = part.type;
    current.kind = part.kind;
    current.touched_later |= part.touched_later;
    current.lent |= part.lent;
    if (part.state == byte_state::live) current.live += part.bytes;
    if (part.state == byte_state::held) current.held += part.bytes;
  }
  return all;
}

/// A variable over all awaits of the body.
struct variable_life {
  std::string type;
  std::uint64_t bytes = 0;
  bool needed = false;                  ///< used after one of the awaits
  const await_point* before = nullptr;  ///< the last await before what may be the first use
  const await_point* last = nullptr;    ///< the first await without a use afterwards
};

std::string line_name(const await_point& await) { return fmt::format(":{}", await.where.line); }

/// A frame has a fixed size: a variable leaves it only if no await needs it.
void advise_to_end(const std::map<variable_key, variable_life>& lives, std::vector<advice>& all) {
  for (const auto& [name, life] : lives) {
    if (life.needed || life.last == nullptr || life.bytes < min_bytes) continue;
    std::string message = fmt::format(
        "'{}' ({}) is held across this await, but no later use of it was found: end its scope before the await, "
        "unless something has kept its address",
        name.first, life.type);
    if (life.before != nullptr) message += fmt::format(", and begin it after the one at {}", line_name(*life.before));
    all.push_back({.where = life.last->where, .bytes = life.bytes, .certain = false, .message = std::move(message)});
  }
}

bool is_known(const await_point& await) {
  return await.kind == suspension::await && await.known_by != evidence::whole_frame;
}

/// Whether a variable is needed at one of the awaits.
bool is_kept(const coroutine& coroutine, const std::string& name) {
  return std::ranges::any_of(coroutine.awaits, [&](const await_point& await) {
    return is_known(await) && std::ranges::any_of(await.variables, [&](const variable_at_await& part) {
             return part.name == name && part.state != byte_state::dead;
           });
  });
}

void advise_to_reorder(const coroutine& coroutine, std::vector<advice>& all) {
  for (const auto& loose : coroutine.loose) {
    if (!is_kept(coroutine, loose.name)) continue;
    all.push_back({.where = loose.type_declared,
                   .bytes = loose.bytes,
                   .certain = true,
                   .message = fmt::format("'{}' is held across an await with padding: {} takes fewer bytes with its "
                                          "members ordered by alignment, the strictest first",
                                          loose.name, loose.type)});
  }
}

/// The frame of a merged callee takes its bytes at every await, not only at the await of the callee. The saving is only
/// likely: a separate callee has a handle in this frame, of one or two words.
void advise_to_part(const coroutine& coroutine, std::vector<advice>& all) {
  for (const auto& child : coroutine.fields) {
    if (child.kind != field_kind::child || child.bytes < min_bytes || coroutine.made_by != producer::clang) continue;
    const auto is_idle = [&](const await_point& await) {
      std::uint64_t dead = 0;
      for (const auto& part : await.variables) {
        const bool inside = part.offset >= child.offset && part.offset + part.bytes <= child.offset + child.bytes;
        if (inside && part.state == byte_state::dead) dead += part.bytes;
      }
      return is_known(await) && dead == child.bytes;
    };
    const auto idle = std::ranges::find_if(coroutine.awaits, is_idle);
    if (idle == coroutine.awaits.end()) continue;
    all.push_back(
        {.where = idle->where,
         .bytes = child.bytes - handle_bytes,
         .certain = false,
         .message = fmt::format("the frame of {} was merged into this one, which holds its bytes at this await "
                                "too: [[gnu::noinline]] keeps it separate, alive only while it is awaited",
                                child.name)});
  }
}

}  // namespace

std::vector<advice> advise(const coroutine& coroutine) {
  std::vector<advice> found;
  if (coroutine.made_by == producer::rustc) return found;
  std::map<std::string, std::pair<std::uint64_t, std::string>> parameters;
  std::map<variable_key, variable_life> lives;
  for (const auto& await : coroutine.awaits) {
    if (!is_known(await)) continue;
    for (const auto& [name, bytes] : by_variable(await)) {
      if (bytes.kind == field_kind::parameter && bytes.live + bytes.held >= min_bytes) {
        auto& most = parameters[name.first];
        most = {std::max(most.first, bytes.live + bytes.held), bytes.type};
      }
      if (bytes.kind != field_kind::local || bytes.live + bytes.held == 0) continue;
      auto& life = lives[name];
      life.type = bytes.type;
      life.bytes = std::max(life.bytes, bytes.live + bytes.held);
      // While the coroutine is suspended, others that have the address may use the variable.
      if (bytes.live != 0 || bytes.lent || (bytes.touched_later && life.last != nullptr)) {
        life.needed = true;
      } else if (bytes.touched_later) {
        life.before = &await;
      } else if (life.last == nullptr) {
        life.last = &await;
      }
    }
  }
  advise_to_end(lives, found);
  advise_to_reorder(coroutine, found);
  advise_to_part(coroutine, found);
  for (const auto& [name, most] : parameters) {
    found.push_back(
        {.where = coroutine.declared,
         .bytes = most.first - handle_bytes,
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
