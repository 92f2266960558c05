// What the lasting connections of a server hold of the memory budget: one share for all of them, so that a connection
// needs only a number of bytes.

#include "http/lasting/lasting.hpp"
#include "http/server_core.hpp"
#include "io/reactor.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

namespace tare::http::detail {

using tare::detail::link;

std::optional<std::uint16_t> server_core::number_of(const lasting_route& route) {
  const auto found = std::ranges::find(lasting_routes_, &route);
  if (found != lasting_routes_.end()) return static_cast<std::uint16_t>(found - lasting_routes_.begin());
  if (lasting_routes_.size() == std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
  lasting_routes_.push_back(&route);
  return static_cast<std::uint16_t>(lasting_routes_.size() - 1);
}

void server_core::keep_note(link of, access_note::owner& note) noexcept {
  try {
    notes_.try_emplace(of, std::move(note));
  } catch (const std::bad_alloc&) {
    return;
  }
}

access_note::owner server_core::take_note(link of) noexcept {
  const auto found = notes_.find(of);
  if (found == notes_.end()) return nullptr;
  access_note::owner taken = std::move(found->second);
  notes_.erase(found);
  return taken;
}

bool server_core::admit_lasting(std::size_t bytes) noexcept {
  if (budget_ == nullptr) return true;
  bool fits = false;
  if (lasting_share_) {
    fits = lasting_share_.try_grow_to(lasting_share_.bytes() + bytes);
  } else {
    lasting_share_ = budget_->try_admit(bytes);
    lasting_share_.keep_from_reserve();
    fits = static_cast<bool>(lasting_share_);
  }
  if (!fits) (void)make_room();
  return fits;
}

void server_core::release_lasting(std::size_t bytes) noexcept {
  if (lasting_share_) lasting_share_.shrink_to(lasting_share_.bytes() - std::min(bytes, lasting_share_.bytes()));
}

void server_core::enter(lasting_work& entering) noexcept {
  entering.is_listed = true;
  entering.previous = nullptr;
  entering.next = works_;
  if (works_ != nullptr) works_->previous = &entering;
  works_ = &entering;
  sweep_later();
}

void server_core::leave(lasting_work& leaving) noexcept {
  leaving.is_listed = false;
  (leaving.previous != nullptr ? leaving.previous->next : works_) = leaving.next;
  if (leaving.next != nullptr) leaving.next->previous = leaving.previous;
}

// The one that holds the most of a message whose rest has not arrived for a while.
bool server_core::shed_lasting() noexcept {
  lasting_work* chosen = nullptr;
  for (lasting_work* each = works_; each != nullptr; each = each->next) {
    if (each->is_shed || each->reader.is_idle() || each->waiting_since != 0 || sweeps_ - each->moved < 2) continue;
    if (chosen == nullptr || lasting(*each->of).held_bytes() > lasting(*chosen->of).held_bytes()) chosen = each;
  }
  if (chosen != nullptr) lasting(*chosen->of).shed();
  return chosen != nullptr;
}

std::size_t retry_waiting_for_room(lasting_work* first) noexcept {
  std::size_t count = 0;
  // Only queues the tasks, so the list does not change.
  for (lasting_work* each = first; each != nullptr; each = each->next) {
    if (each->waiting_since == 0) continue;
    ++count;
    lasting(*each->of).retry();
  }
  return count;
}

void lasting::retry() noexcept {
  tare::detail::io_slot* const there = slot();
  if (there == nullptr) return;  // its task tries again by itself
  there->set(tare::detail::io_readable);
  tare::detail::reactor::if_any()->queue(*there, tare::detail::io_direction::read);
}

void lasting::shed() noexcept {
  work()->is_shed = true;
  connection().expires_after(std::chrono::nanoseconds(0), net::direction::read);
}

std::size_t lasting::held_now() const noexcept {
  const lasting_work* const now = work();
  const std::size_t in_work = now == nullptr
                                  ? 0
                                  : now->reader.held_bytes() + (now->inflating ? now->inflating->held_bytes() : 0) +
                                        (now->input.empty() ? 0 : tare::detail::buffer_pool::buffer_bytes);
  return in_work + connection().buffered_bytes();
}

bool lasting::wait_for_room() {
  lasting_work& waits = begin_work();
  const bool is_late =
      waits.waiting_since != 0 &&
      (server().sweeps() + 1 - waits.waiting_since) * std::chrono::milliseconds(100) >= server().options().room_timeout;
  if (is_late && server().take_refusal()) {
    return fail(close_code::try_again_later, std::make_error_code(std::errc::not_enough_memory));
  }
  if (waits.waiting_since == 0) waits.waiting_since = server().sweeps() + 1;
  if (!waits.is_listed) server().enter(waits);
  // The sweep sets it again.
  if (tare::detail::io_slot* const there = slot(); there != nullptr) there->clear(tare::detail::io_readable);
  return false;
}

}  // namespace tare::http::detail
