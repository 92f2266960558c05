#include <tare/detail/scope_core.hpp>

#include "frame/arena.hpp"
#include "sched/runtime_core.hpp"
#include "sched/shard.hpp"
#include "sched/visit.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/detail/misuse.hpp>
#include <tare/error.hpp>

#include <array>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>

namespace tare::detail {

namespace {

constexpr std::size_t first_chunk_bytes = 64;
constexpr std::size_t chunk_bytes = 512;

}  // namespace

struct member_chunk {
  scope_core* owner;
  link next;
  link prev;
  std::array<std::uint64_t, 2> used;  ///< one bit per slot
  // The slots follow, up to the end of the record.

  [[nodiscard]] link* slots() noexcept { return reinterpret_cast<link*>(this + 1); }

  [[nodiscard]] unsigned capacity() const noexcept {
    // The arena may have rounded up (AddressSanitizer's redzone); the requested size counts.
    const std::size_t bytes =
        arena::instance().slab_of(this)->object_bytes < chunk_bytes ? first_chunk_bytes : chunk_bytes;
    return static_cast<unsigned>((bytes - sizeof(member_chunk)) / sizeof(link));
  }
  /// Slots fill from the front, so this takes at most two comparisons for most chunks that are not full.
  [[nodiscard]] bool is_full() const noexcept {
    constexpr std::uint64_t first_chunk_full = (std::uint64_t{1} << (first_chunk_bytes - 32) / sizeof(link)) - 1;
    const bool may_be = used[1] == 0 ? used[0] == first_chunk_full : used[0] == UINT64_MAX;
    return may_be && count() == capacity();
  }
  [[nodiscard]] unsigned count() const noexcept {
    return static_cast<unsigned>(std::popcount(used[0]) + std::popcount(used[1]));
  }
  /// 0 or 1: which of the two slots holds the task's link.
  [[nodiscard]] static unsigned slot_in_pair(link* pair, link task) noexcept {
    member_chunk& chunk = of(pair);
    const auto first = static_cast<unsigned>(pair - chunk.slots());
    return pair[0] == task && (chunk.used[first / 64] >> (first % 64) & 1U) != 0 ? 0 : 1;
  }
  [[nodiscard]] static member_chunk& of(const link* slot) noexcept {
    // Records are aligned to their size.
    const std::size_t object = arena::instance().slab_of(slot)->object_bytes;
    const auto* inside = reinterpret_cast<const std::byte*>(slot);
    return *reinterpret_cast<member_chunk*>(const_cast<std::byte*>(inside) -
                                            reinterpret_cast<std::uintptr_t>(inside) % object);
  }
};
static_assert(sizeof(member_chunk) == 32, "is_full() counts on it");

static_assert(sizeof(scope_core) <= 120);

scope_core::scope_core(bool collecting) noexcept : collecting_(collecting) {
  // Cancelling the joining task cancels the scope's tasks; the join ends when they have ended.
  give_up = [](wait_node& self) noexcept { detail::cancel_children(static_cast<waiting_parent&>(self)); };
  cancel_children = &scope_core::cancel_tasks;
  home = current_shard;
  cancel_mail_.set_kind(wait_kind::mail_cancel_scope);
}

void scope_core::check_shard() const {
  if (home == nullptr) throw std::logic_error("tare::scope: constructed outside a task");
  if (!is_here()) throw std::logic_error("tare::scope: used on a shard other than its own");
}

void scope_core::require_shard(const char* call) const noexcept {
  if (is_here()) return;
  std::fprintf(stderr,
               "tare: scope::%s called on a shard other than the scope's: call it there, after "
               "co_await tare::resume_on(scope.shard()); only scope::cancel may be called from any thread\n",
               call);
  std::abort();
}

unsigned scope_core::shard_number() const noexcept { return static_cast<const shard*>(home)->number(); }

scope_core::~scope_core() {
  await_cancel_mail();
  if (size_ != 0) {
    std::fprintf(stderr, "tare: a scope was destroyed before %zu of its tasks had ended: join it on every path\n",
                 size_);
    std::terminate();
  }
}

void scope_core::link_to(member_chunk& chunk, link& list) noexcept {
  chunk.prev = no_link;
  chunk.next = list;
  if (list != no_link) from_link<member_chunk>(list)->prev = to_link(&chunk);
  list = to_link(&chunk);
}

void scope_core::unlink(member_chunk& chunk, link& list) noexcept {
  if (chunk.prev != no_link) {
    from_link<member_chunk>(chunk.prev)->next = chunk.next;
  } else {
    list = chunk.next;
  }
  if (chunk.next != no_link) from_link<member_chunk>(chunk.next)->prev = chunk.prev;
}

void scope_core::adopt(wait_state& added) {
  check_shard();
  enter(added);
  current_shard->begin_root(added);
}

void scope_core::adopt_body(wait_state& added) {
  adopt(added);
  body_ = to_link(&added);
}

void scope_core::adopt_on(shard_id number, wait_state& added) {
  check_shard();
  shard& target = shard::current().runtime().shard_at(number);
  if (&target == current_shard) {
    adopt(added);
    return;
  }
  visit& away = visit::begin_without_parent(added);
  try {
    enter(away);
  } catch (...) {
    away.abandon();
    throw;
  }
  added.cancelled = away.cancelled;
  away.values = value_ref::share(values_around(away));
  added.set_kind(wait_kind::fresh);
  target.count_arrival();
  away.move(added, target);
}

void scope_core::require_frame() const noexcept {
  if (from_link<const scope_core>(to_link(this)) == this) return;
  misuse("a scope must be in a task's frame: make it a local variable of a coroutine");
}

void scope_core::enter(wait_state& added) {
  if (open_ == no_link) {
    const std::size_t bytes = full_ == no_link ? first_chunk_bytes : chunk_bytes;
    link_to(*::new (allocate_record(bytes)) member_chunk{.owner = this, .next = no_link, .prev = no_link, .used = {}},
            open_);
  }
  member_chunk& chunk = *from_link<member_chunk>(open_);
  const unsigned word = chunk.used[0] == UINT64_MAX ? 1 : 0;
  const unsigned slot = word * 64 + static_cast<unsigned>(std::countr_one(chunk.used[word]));
  chunk.used[word] |= std::uint64_t{1} << (slot % 64);
  chunk.slots()[slot] = to_link(&added);
  added.set_parent(parent_kind::scope, to_link(&chunk.slots()[slot & ~1U]));
  ++size_;
  if (chunk.is_full()) {
    unlink(chunk, open_);
    link_to(chunk, full_);
    chunks_changed_ = true;
  }
  if (cancelling) added.cancelled = 1;
}

link scope_core::joiner_of(link slots) noexcept { return member_chunk::of(from_link<link>(slots)).owner->owner; }

void scope_core::replace(link slots, link before, link after) noexcept {
  link* pair = from_link<link>(slots);
  pair[member_chunk::slot_in_pair(pair, before)] = after;
  scope_core& scope = *member_chunk::of(pair).owner;
  if (scope.body_ == before) scope.body_ = after;
}

void scope_core::task_ended(link slots, link self, std::exception_ptr error) noexcept {
  link* pair = from_link<link>(slots);
  member_chunk& chunk = member_chunk::of(pair);
  scope_core& scope = *chunk.owner;
  scope.leave(chunk, static_cast<unsigned>(pair - chunk.slots()) + member_chunk::slot_in_pair(pair, self));
  if (scope.body_ == self) scope.body_ = no_link;
  if (error) {
    scope.note(std::move(error));
    if (!scope.collecting_) detail::cancel_children(scope);
  }
  if (--scope.size_ == 0 && scope.owner != no_link) {
    const bool joiner_cancelled = from_link<wait_state>(scope.owner)->cancelled != 0;
    scope.wake_here(joiner_cancelled ? wait_kind::ready_cancelled : wait_kind::ready);
    scope.owner = no_link;
  }
}

void scope_core::note(std::exception_ptr error) noexcept {
  if (is_cancellation(error)) return;
  if (!error_) {
    error_ = std::move(error);
  } else if (collecting_) {
    try {
      if (!more_errors_) more_errors_ = std::make_unique<std::vector<std::exception_ptr>>();
      more_errors_->push_back(std::move(error));
      // NOLINTNEXTLINE(bugprone-empty-catch): the first error is delivered in any case
    } catch (const std::bad_alloc&) {
    }
  }
}

bool scope_core::begin_join() {
  check_shard();
  if (joining_)
    throw std::logic_error(
        "tare::scope: another task is already joining it: join once, and let others wait for an event");
  joining_ = true;
  return size_ == 0;
}

void scope_core::finish_join() {
  const bool was_cancelled = current_shard->take_cancelled();  // before anything can be thrown
  await_cancel_mail();
  joining_ = false;
  cancelling = false;  // does not affect the next round of tasks
  throw_errors();
  if (was_cancelled) throw cancelled();
}

void scope_core::throw_errors() {
  if (!error_) return;
  std::exception_ptr first = std::exchange(error_, nullptr);
  if (!collecting_) std::rethrow_exception(std::move(first));
  std::vector<std::exception_ptr> all;
  if (const auto more = std::exchange(more_errors_, nullptr)) all = std::move(*more);
  try {
    all.insert(all.begin(), first);
  } catch (const std::bad_alloc&) {
    std::rethrow_exception(std::move(first));
  }
  throw error_group(std::move(all));
}

void scope_core::leave(member_chunk& chunk, unsigned slot) noexcept {
  const bool was_full = chunk.is_full();
  chunk.used[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
  if (chunk.count() == 0) {
    unlink(chunk, was_full ? full_ : open_);
    free_record(&chunk);
  } else if (was_full) {
    unlink(chunk, full_);
    link_to(chunk, open_);
  }
}

void scope_core::cancel() noexcept {
  if (is_here()) {
    cancel_here();
    return;
  }
  if (home == nullptr || cancel_under_way_.exchange(true, std::memory_order_acq_rel)) return;
  require_frame();
  cancel_mail_.parent = to_link(this);
  static_cast<shard*>(home)->post(cancel_mail_);
}

void scope_core::receive_cancel(wait_state& mail) noexcept {
  auto& scope = *from_link<scope_core>(mail.parent);
  scope.cancel_under_way_.store(false, std::memory_order_release);
  scope.cancel_here();
}

void scope_core::cancel_here() noexcept {
  if (size_ == 0) {
    cancelling = true;
  } else {
    require_frame();
    detail::cancel_children(*this);
  }
}

void scope_core::await_cancel_mail() noexcept {
  // It has been posted or is about to be.
  while (cancel_under_way_.load(std::memory_order_acquire)) {
    if (is_here()) {
      static_cast<shard*>(home)->take_mail();
    } else {
      std::this_thread::yield();
    }
  }
}

void scope_core::fail(std::exception_ptr error) noexcept {
  require_shard("fail");
  if (!error) misuse("scope::fail called without an error: use scope::cancel");
  note(std::move(error));
  cancel_here();
}

void scope_core::cancel_tasks(waiting_parent& self) noexcept {
  auto& scope = static_cast<scope_core&>(self);
  do {
    // The interrupt function of an `offload` may spawn tasks here, which moves chunks from one list to the other.
    scope.chunks_changed_ = false;
    scope.cancel_chunks(scope.open_);
    scope.cancel_chunks(scope.full_);
  } while (scope.chunks_changed_);
}

void scope_core::cancel_chunks(link first) noexcept {
  for (link at = first; at != no_link; at = from_link<member_chunk>(at)->next) {
    member_chunk& chunk = *from_link<member_chunk>(at);
    for (unsigned word = 0; word < 2; ++word) {
      for (std::uint64_t left = chunk.used[word]; left != 0; left &= left - 1) {
        detail::cancel(
            *from_link<wait_state>(chunk.slots()[word * 64 + static_cast<unsigned>(std::countr_zero(left))]));
      }
    }
  }
}

}  // namespace tare::detail
