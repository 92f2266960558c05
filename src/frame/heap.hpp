#pragma once

// One thread's share of the arena: slabs of every size it has needed.
//
// Only the owning thread allocates and frees. Frames freed elsewhere are pushed onto `remote_`, a stack that others
// only push to and that the owner only takes as a whole (Treiber's stack, "Systems Programming: Coping with
// Parallelism", IBM RJ 5118, 1986; without pop there is no ABA problem). mimalloc's thread-free lists work in the same
// way.
//
// The owner holds the heap's lock while it runs. While the owner sleeps, or no thread runs its shard, a thread that
// frees into the heap takes the lock and does what the owner would do. So freed memory does not wait for an owner that
// may sleep for a long time, and no thread must be woken for each frame.

#include "frame/poison.hpp"
#include "frame/remote_stack.hpp"
#include "frame/slab.hpp"

#include <tare/detail/brief_lock.hpp>
#include <tare/detail/frame_memory.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tare::detail {

class heap;

/// A limit on the bytes of slabs that a group of heaps may hold together.
struct frame_ceiling {
  std::atomic<std::size_t> held = 0;
  std::size_t most = SIZE_MAX;
  /// Pages may be resident before they are needed, up to 2 MB.
  bool populates_ahead = true;
  brief_lock lock;
  heap* first = nullptr;  ///< of the heaps that count towards it; guarded by the lock
};

/// The owner of a heap, which returns its spare memory to the system after a while, and may be asleep.
class heap_owner {
 public:
  heap_owner() = default;
  heap_owner(const heap_owner&) = delete;
  heap_owner& operator=(const heap_owner&) = delete;
  virtual ~heap_owner() = default;
  /// Any thread.
  virtual void wake() noexcept = 0;
};

class heap {
 public:
  /// During its lifetime the owner sleeps and does not access the heap.
  class [[nodiscard]] rest {
   public:
    explicit rest(heap& of) noexcept : of_(of) { of_.unlock(); }
    rest(const rest&) = delete;
    rest& operator=(const rest&) = delete;
    ~rest() { of_.lock(); }

   private:
    heap& of_;
  };

  explicit heap(std::uint16_t number) noexcept : number_(number) { bins_.fill(&full_slab); }
  ~heap() = default;
  heap(const heap&) = delete;
  heap& operator=(const heap&) = delete;

  [[nodiscard]] void* allocate(std::size_t bytes, std::size_t alignment, bool record);
  void free(void* object) noexcept;

  /// Owning thread: frees the object in the heap that it came from.
  void give_back(void* object) noexcept;

  /// Any thread: passes the object to the owner.
  void free_from_elsewhere(void* object) noexcept;

  /// Owner: collects what other threads have freed.
  void collect() noexcept;
  [[nodiscard]] bool has_to_collect() const noexcept { return !remote_.empty(); }

  /// Frees the frames on the shelves, and returns the spare slabs to the system.
  void trim() noexcept;
  /// Nothing has happened since the last `trim` that would make another one worthwhile.
  [[nodiscard]] bool is_trimmed() const noexcept { return trimmed_ && shelves_.frames() == 0; }

  /// The shelf of freed frames for the owning thread.
  [[nodiscard]] frame_shelves& shelves() noexcept { return shelves_; }

  /// The owner should trim, because another heap of the same ceiling is short of memory.
  [[nodiscard]] bool has_to_trim() const noexcept { return asked_to_trim_.load(std::memory_order_relaxed); }

  /// From now on slabs count towards `ceiling`; nullptr: no ceiling.
  void charge_to(frame_ceiling* ceiling) noexcept;
  /// The owner to wake when other threads have freed something to trim; nullptr: those threads trim it.
  void owned_by(heap_owner* owner) noexcept { owner_ = owner; }

  /// A thread that has locked the heap may call what otherwise only the owner may call. `unlock` also collects what
  /// other threads have freed before they could see that it is unlocked.
  void lock() noexcept { lock_.lock(); }
  [[nodiscard]] bool try_lock() noexcept { return lock_.try_lock(); }
  void unlock() noexcept;

  /// Makes the `nth` allocation from now on fail (1: the next); 0: none. Frames from the shelves do not count.
  void fail_at(std::uint64_t nth) noexcept { failing_ = nth == 0 ? 0 : allocations_ + nth; }

  /// For simulations (src/sim/): asked before each allocation of the heaps of shards that are made from now on; an
  /// allocation that it refuses fails. While it is set, no frame is put on a shelf.
  static inline bool (*gate)() noexcept = nullptr;

  [[nodiscard]] std::uint16_t number() const noexcept { return number_; }
  [[nodiscard]] std::uint64_t allocations() const noexcept { return allocations_; }
  [[nodiscard]] std::uint64_t live() const noexcept { return allocations_ - frees_ - shelves_.frames(); }
  [[nodiscard]] std::size_t held_bytes() const noexcept { return held_; }

 private:
  // Size classes up to 1 KiB are 8 bytes apart, up to 32 KiB at most an eighth; larger objects get their own slabs.
  static constexpr std::size_t fine_step = 8;
  static constexpr std::size_t max_fine = 1024;
  static constexpr std::size_t max_small = 32768;
  static constexpr std::size_t fine_bins = max_fine / fine_step + 1;
  static constexpr std::size_t coarse_bins = 40;
  static constexpr std::size_t frame_bins = fine_bins + coarse_bins;
  static constexpr std::size_t record_bins = 10;  // 64 to 32768
  static constexpr std::size_t bin_count = frame_bins + record_bins;
  static constexpr std::size_t max_spare = 16;  // 1 MiB, until the shard is idle

  // Of the runs of slabs that large objects have used, one of each length is kept until the shard is idle.
  static constexpr std::size_t kept_run_slabs = 32;  // 2 MiB
  static constexpr std::size_t max_kept_slabs = 64;

  struct kept_run {
    slab* first = nullptr;
    std::size_t charged = 0;
  };
  struct size_class {
    std::uint16_t bin;
    std::uint32_t bytes;
  };
  [[nodiscard]] static size_class class_of(std::size_t bytes, bool record) noexcept;

  /// Throws std::bad_alloc if this allocation has to fail.
  void check_allocation();
  [[nodiscard]] void* take_from(slab& from) noexcept;
  [[nodiscard]] void* allocate_slowly(size_class size, slab_use use);
  [[nodiscard]] void* allocate_large(std::size_t bytes, slab_use use);
  [[nodiscard]] slab* new_slab(size_class size, slab_use use);
  [[nodiscard]] slab* take_kept(std::size_t count, std::size_t& bytes) noexcept;
  [[nodiscard]] bool keep(slab& first) noexcept;
  void free_large(slab& first) noexcept;
  void drop_spare() noexcept;
  [[nodiscard]] bool charge(std::size_t bytes) noexcept;
  /// The same; first returns spare memory, here and in the other heaps of the ceiling.
  [[nodiscard]] bool charge_or_drop_spare(std::size_t bytes) noexcept;
  void trim_others() noexcept;
  /// Collects what other threads have freed, unless another thread has the lock: then that thread will.
  void tend() noexcept;
  /// Requires the lock, while the owner sleeps or there is none.
  void collect_for_owner() noexcept;
  /// `trim` without the shelves, whose frames may belong to others.
  void trim_slabs() noexcept;
  void discharge(std::size_t bytes) noexcept;
  void put_back(void* object) noexcept;
  void clear_shelves() noexcept;
  void list(slab& partly_used) noexcept;
  void unlist(slab& partly_used) noexcept;
  void retire(slab& empty) noexcept;

  static constinit slab full_slab;  ///< an empty slab, for bins without a slab

  frame_shelves shelves_;
  std::array<slab*, bin_count> bins_{};     ///< the source of the next object of this size
  std::array<slab*, bin_count> partial_{};  ///< other slabs with free objects
  std::array<std::uint32_t, bin_count> slabs_of_bin_{};
  std::uint64_t allocations_ = 0;
  std::uint64_t failing_ = 0;
  std::uint64_t frees_ = 0;
  std::size_t held_ = 0;
  frame_ceiling* ceiling_ = nullptr;
  heap* next_of_ceiling_ = nullptr;
  heap_owner* owner_ = nullptr;  ///< under the lock
  std::array<slab*, max_spare> spare_{};
  std::size_t spare_count_ = 0;
  std::array<kept_run, kept_run_slabs + 1> kept_{};  ///< by number of slabs
  std::size_t kept_slabs_ = 0;
  bool trimmed_ = true;
  std::uint16_t number_;
  [[no_unique_address]] quarantine quarantine_;
  alignas(64) remote_stack remote_;
  std::atomic<bool> asked_to_trim_ = false;
  brief_lock lock_;
};

/// The current thread's heap; nullptr on threads that run no shard.
extern constinit thread_local heap* current_heap;

}  // namespace tare::detail
