#pragma once

// What a shard knows of a descriptor: 24 bytes, in blocks of 4 KiB of the arena that come and go with their slots.
//
// Who waits is linked from here, not from a node in the waiting frame; so a descriptor that is waited for all its life
// costs these 24 bytes and 8 in the frame. The block's head, found by masking the slot's address, names the reactor, so
// that a stream needs to remember nothing but its slot.

#include <tare/detail/io_wait.hpp>
#include <tare/detail/link.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace tare::detail {

class reactor;

/// What is known of a descriptor, in bits.
enum io_flag : std::uint16_t {  // NOLINT(cppcoreguidelines-use-enum-class): a set of bits
  io_used = 1U << 0U,
  io_readable = 1U << 1U,  ///< a read may find something; false: it would not, and an event will come
  io_writable = 1U << 2U,
  io_ended = 1U << 3U,         ///< the peer has hung up: reading to the end will not be announced again
  io_watched = 1U << 4U,       ///< the kernel announces every change
  io_foreign = 1U << 5U,       ///< somebody else's descriptor, announced once for each wait
  io_abandoned = 1U << 6U,     ///< no stream or listener has it any more
  io_read_expired = 1U << 7U,  ///< the deadline for reading has passed
  io_write_expired = 1U << 8U,
  io_paused = 1U << 9U,      ///< a listener that found no descriptor or no memory left
  io_armed = 1U << 10U,      ///< the poller holds a request that names this slot
  io_announced = 1U << 11U,  ///< of a foreign descriptor: the kernel has been asked
  io_failed = 1U << 12U,     ///< of a foreign descriptor: it cannot be watched
};

/// Reads, and what else waits for the descriptor to become readable; or writes.
enum class io_direction : std::uint8_t { read, write };

[[nodiscard]] constexpr io_direction direction_of(io_call call) noexcept {
  return call < io_call::writable ? io_direction::read : io_direction::write;
}
/// Each direction's flags.
[[nodiscard]] constexpr std::uint16_t ready_flag(io_direction of) noexcept {
  return of == io_direction::read ? io_readable : io_writable;
}
[[nodiscard]] constexpr std::uint16_t expired_flag(io_direction of) noexcept {
  return of == io_direction::read ? io_read_expired : io_write_expired;
}

struct alignas(8) io_slot {
  link reader = no_link;  ///< the io_wait of who reads; in a free slot: the next free one
  link writer = no_link;
  int fd = -1;
  std::uint32_t read_deadline : 24 = 0;  ///< as deadlines.hpp has it; 0: none
  io_call reading : 4 = io_call::none;
  io_call writing : 4 = io_call::none;
  std::uint32_t write_deadline : 24 = 0;
  std::uint8_t orphaned = 0;     ///< atomic: its stream has ended on another thread
  std::uint16_t generation = 0;  ///< tells late events about an earlier descriptor from this one's
  std::uint16_t flags = 0;

  [[nodiscard]] bool has(std::uint16_t any) const noexcept { return (flags & any) != 0; }
  void set(std::uint16_t all) noexcept { flags = static_cast<std::uint16_t>(flags | all); }
  void clear(std::uint16_t all) noexcept { flags = static_cast<std::uint16_t>(flags & ~all); }

  /// The io_wait of who waits in a direction.
  [[nodiscard]] link& waiting(io_direction in) noexcept { return in == io_direction::read ? reader : writer; }
  [[nodiscard]] io_call call(io_direction in) const noexcept { return in == io_direction::read ? reading : writing; }
  void set_call(io_direction in, io_call next) noexcept {
    if (in == io_direction::read) {
      reading = next;
    } else {
      writing = next;
    }
  }
  [[nodiscard]] std::uint32_t deadline(io_direction of) const noexcept {
    return of == io_direction::read ? read_deadline : write_deadline;
  }
  void set_deadline(io_direction of, std::uint32_t at) noexcept {
    if (of == io_direction::read) {
      read_deadline = at & 0xFF'FFFFU;
    } else {
      write_deadline = at & 0xFF'FFFFU;
    }
  }
};
static_assert(sizeof(io_slot) == 24);

/// A shard's slots.
class slot_table {
 public:
  explicit slot_table(reactor& owner) noexcept : owner_(&owner) {}
  ~slot_table() { disown(); }
  slot_table(const slot_table&) = delete;
  slot_table& operator=(const slot_table&) = delete;

  /// nullptr if there is no memory.
  [[nodiscard]] io_slot* take(int fd) noexcept;
  void give_back(io_slot& slot) noexcept;

  /// Frees the blocks. Slots that somebody still has a link to stay, without an owner. Under `owners_lock`.
  void disown() noexcept;

  /// Held while a reactor is destroyed, and by threads of other shards or of none from asking for a slot's owner until
  /// they are done with it. On its own shard a slot keeps its owner.
  [[nodiscard]] static std::mutex& owners_lock() noexcept;

  /// The shard's reactor, or nullptr if it is gone.
  [[nodiscard]] static reactor* owner_of(const io_slot& slot) noexcept;
  /// Frees a slot whose owner is gone. Under `owners_lock`.
  static void give_back_orphan(io_slot& slot) noexcept;

  /// Calls `visit(io_slot&)` for each slot in use; it may give back any of them, and must not take new ones.
  template <class Visit>
  void for_each(Visit visit) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  static constexpr std::size_t block_bytes = 4096;

  struct block {
    std::atomic<reactor*> owner;
    block* next;  ///< of all
    block* prev;
    block* next_open;  ///< of those with room
    block* prev_open;
    link free;            ///< slots given back
    std::uint32_t fresh;  ///< slots never used, at the end
    std::uint32_t used;

    [[nodiscard]] io_slot* slots() noexcept { return reinterpret_cast<io_slot*>(this + 1); }
  };
  static constexpr std::size_t slots_a_block = (block_bytes - sizeof(block)) / sizeof(io_slot);

  [[nodiscard]] static block& block_of(const io_slot& slot) noexcept;
  void open(block& added) noexcept;
  void unopen(block& removed) noexcept;
  void free_if_spare(block& empty) noexcept;
  void free_spare_blocks() noexcept;

  reactor* owner_;
  block* all_ = nullptr;
  block* open_ = nullptr;
  std::size_t size_ = 0;
  bool visiting_ = false;  ///< blocks stay meanwhile
};

template <class Visit>
void slot_table::for_each(Visit visit) noexcept {
  visiting_ = true;
  for (block* at = all_; at != nullptr; at = at->next) {
    const std::size_t touched = slots_a_block - at->fresh;
    for (std::size_t i = 0; i < touched; ++i) {
      if (at->slots()[i].has(io_used)) visit(at->slots()[i]);
    }
  }
  visiting_ = false;
  free_spare_blocks();
}

}  // namespace tare::detail
