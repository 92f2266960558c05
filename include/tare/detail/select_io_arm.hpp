#pragma once

// `readable` and `writable` of a stream as arms of a select (select_arm.hpp).
//
// Such a wait is in the descriptor's slot without a task. When the descriptor is ready, has been closed, or its
// deadline has passed, the reactor claims the select. Nothing has been read or written then, so a loser has lost
// nothing.

#include <tare/detail/io_wait.hpp>
#include <tare/detail/join_group.hpp>
#include <tare/detail/select_arm.hpp>

#include <type_traits>
#include <utility>

namespace tare::detail {

struct io_arm : io_wait {
  explicit io_arm(link of) noexcept : io_wait(of) {}

  /// True if the result is known already.
  [[nodiscard]] bool try_now(io_call call) noexcept;
  /// False if the wait has failed instead of beginning.
  [[nodiscard]] bool begin(io_call call) noexcept;
  void withdraw(io_call call) noexcept;
  /// Prepares the result for io_take.
  void take(io_call call) noexcept;
  /// The reactor calls this when the result is known.
  void end_wait() noexcept;
  [[nodiscard]] link id() noexcept { return to_link(static_cast<io_wait*>(this)); }

  link core = no_link;  ///< of the select_wait
  int error = 0;        ///< of a wait that has failed at its beginning
};
static_assert(sizeof(io_arm) == 16);

/// The calls that are arms.
[[nodiscard]] constexpr bool is_io_arm(io_call call) noexcept {
  return call == io_call::readable || call == io_call::writable;
}

template <class A>
inline constexpr bool is_io_arm_request = false;
template <io_call Call, auto Take>
  requires(is_io_arm(Call))
inline constexpr bool is_io_arm_request<io_request<io_wait, Call, Take>> = true;

template <class A>
  requires is_io_arm_request<A>
inline constexpr bool has_own_arm<A> = true;

template <class A>
  requires is_io_arm_request<std::remove_reference_t<A>>
class select_arm<A> {
  template <io_call Call, auto Take>
  struct parts {
    static constexpr io_call call = Call;
    static auto take() { return Take(); }
  };
  template <io_call Call, auto Take>
  static parts<Call, Take> parts_of(const io_request<io_wait, Call, Take>& request);
  using of = decltype(parts_of(std::declval<std::remove_reference_t<A>&>()));

 public:
  using result = decltype(of::take());

  explicit select_arm(arm_source<A> source) noexcept : wait_(source.request->wait.slot) {}
  select_arm(const select_arm&) = delete;
  select_arm& operator=(const select_arm&) = delete;
  ~select_arm() = default;

  [[nodiscard]] static brief_lock* lock() noexcept { return nullptr; }
  [[nodiscard]] bool try_now(select_wakes& /*woken*/) noexcept { return wait_.try_now(of::call); }
  [[nodiscard]] bool enqueue(select_core& core) noexcept {
    wait_.core = to_link(static_cast<wait_node*>(&core));
    return wait_.begin(of::call);
  }
  void withdraw() noexcept { wait_.withdraw(of::call); }
  [[nodiscard]] link id() noexcept { return wait_.id(); }
  result take() {
    wait_.take(of::call);
    return of::take();
  }

 private:
  io_arm wait_;
};

}  // namespace tare::detail
