#pragma once

// A shard's record of a descriptor: 24 bytes, in 4 KiB blocks of the arena that are allocated and freed with their
// slots.
//
// Waiting tasks are linked from here, not from a node in the waiting frame; so a descriptor that a task always waits
// for costs these 24 bytes and 8 in the frame. The block's header, found by masking the slot's address, points to the
// reactor, so a stream only stores its slot.

#include <tare/detail/io_wait.hpp>
#include <tare/detail/link.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace tare::detail {

class reactor;

/// Flags of a descriptor.
enum io_flag : std::uint16_t {  // NOLINT(cppcoreguidelines-use-enum-class): a set of bits
  io_used = 1U << 0U,
  io_readable = 1U << 1U,  ///< a read may find something; false: it would block, and an event will follow
  io_writable = 1U << 2U,
  io_ended = 1U << 3U,         ///< the peer has hung up: the end will not be announced again
  io_watched = 1U << 4U,       ///< the kernel announces every change
  io_foreign = 1U << 5U,       ///< a foreign descriptor, announced once per wait
  io_abandoned = 1U << 6U,     ///< no stream or listener owns it any more
  io_read_expired = 1U << 7U,  ///< the deadline for reading has passed
  io_write_expired = 1U << 8U,
  io_paused = 1U << 9U,      ///< a listener that found no descriptor or no memory left
  io_armed = 1U << 10U,      ///< the poller holds a request that names this slot
  io_announced = 1U << 11U,  ///< of a foreign descriptor: registered with the kernel
  io_failed = 1U << 12U,     ///< of a foreign descriptor: it cannot be watched
};

/// Reads and other waits for readability, or writes.
enum class io_direction : std::uint8_t { read, write };

[[nodiscard]] constexpr io_direction direction_of(io_call call) noexcept {
  return call < io_call::writable ? io_direction::read : io_direction::write;
}
/// The flags of each direction.
[[nodiscard]] constexpr std::uint16_t ready_flag(io_direction of) noexcept {
  return of == io_direction::read ? io_readable : io_writable;
}
[[nodiscard]] constexpr std::uint16_t expired_flag(io_direction of) noexcept {
  return of == io_direction::read ? io_read_expired : io_write_expired;
}

struct alignas(8) io_slot {
  link reader = no_link;  ///< the io_wait of the reading task; in a free slot: the next free slot
  link writer = no_link;
  int fd = -1;
  std::uint32_t read_deadline : 24 = 0;  ///< see deadlines.hpp; 0: none
  io_call reading : 4 = io_call::none;
  io_call writing : 4 = io_call::none;
  std::uint32_t write_deadline : 24 = 0;
  std::uint8_t orphaned = 0;     ///< atomic: its stream has ended on another thread
  std::uint16_t generation = 0;  ///< distinguishes this descriptor's events from late ones of an earlier descriptor
  std::uint16_t flags = 0;

  [[nodiscard]] bool has(std::uint16_t any) const noexcept { return (flags & any) != 0; }
  void set(std::uint16_t all) noexcept { flags = static_cast<std::uint16_t>(flags | all); }
  void clear(std::uint16_t all) noexcept { flags = static_cast<std::uint16_t>(flags & ~all); }

  /// The io_wait of the task that waits in a direction.
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

/// The slots of a shard.
class slot_table {
 public:
  explicit slot_table(reactor& owner) noexcept : owner_(&owner) {}
  ~slot_table() { disown(); }
  slot_table(const slot_table&) = delete;
  slot_table& operator=(const slot_table&) = delete;

  /// nullptr if there is no memory.
  [[nodiscard]] io_slot* take(int fd) noexcept;
  void give_back(io_slot& slot) noexcept;

  /// Frees the blocks. Slots that are still linked stay, without an owner. Under `owners_lock`.
  void disown() noexcept;

  /// Held while a reactor is destroyed. Threads of other shards, or of none, hold it from looking up a slot's owner
  /// until they have finished using it. On its own shard a slot keeps its owner.
  [[nodiscard]] static std::mutex& owners_lock() noexcept;

  /// The shard's reactor, or nullptr if it has been destroyed.
  [[nodiscard]] static reactor* owner_of(const io_slot& slot) noexcept;
  /// Frees a slot whose owner has been destroyed. Under `owners_lock`.
  static void give_back_orphan(io_slot& slot) noexcept;

  /// Calls `visit(io_slot&)` for each slot in use; it may free any of them, but must not take new ones.
  template <class Visit>
  void for_each(Visit visit) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  static constexpr std::size_t block_bytes = 4096;

  struct block {
    std::atomic<reactor*> owner;
    block* next;  ///< of all blocks
    block* prev;
    block* next_open;  ///< of the blocks with room
    block* prev_open;
    link free;            ///< freed slots
    std::uint32_t fresh;  ///< number of slots, at the end, that have never been used
    std::uint32_t used;

    [[nodiscard]] io_slot* slots() noexcept { return reinterpret_cast<io_slot*>(this + 1); }
  };
  static constexpr std::size_t slots_per_block = (block_bytes - sizeof(block)) / sizeof(io_slot);

  [[nodiscard]] static block& block_of(const io_slot& slot) noexcept;
  void open(block& added) noexcept;
  void unopen(block& removed) noexcept;
  void free_if_spare(block& empty) noexcept;
  void free_spare_blocks() noexcept;

  reactor* owner_;
  block* all_ = nullptr;
  block* open_ = nullptr;
  std::size_t size_ = 0;
  bool visiting_ = false;  ///< blocks are not freed meanwhile
};

template <class Visit>
void slot_table::for_each(Visit visit) noexcept {
  visiting_ = true;
  for (block* at = all_; at != nullptr; at = at->next) {
    const std::size_t touched = slots_per_block - at->fresh;
    for (std::size_t i = 0; i < touched; ++i) {
      if (at->slots()[i].has(io_used)) visit(at->slots()[i]);
    }
  }
  visiting_ = false;
  free_spare_blocks();
}

}  // namespace tare::detail
