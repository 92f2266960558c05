#pragma once

// A stack of its own to run on, and the switch between stacks. makecontext(3) enters a new stack once; afterwards
// _setjmp and _longjmp switch without a system call.

#include <csetjmp>
#include <cstddef>
#include <vector>

namespace tare::sim::detail {

/// Memory of a stack, with a guard page below it. Freed stacks are kept for the next one.
class stack {
 public:
  stack();
  ~stack();
  stack(const stack&) = delete;
  stack& operator=(const stack&) = delete;

  /// It will never be left: leak checkers find what it refers to.
  void abandon() const noexcept;
  [[nodiscard]] std::byte* bottom() const noexcept { return memory_ + guard_bytes; }
  static constexpr std::size_t bytes = std::size_t{256} << 10U;

 private:
  static constexpr std::size_t guard_bytes = 4096;
  static std::vector<std::byte*>& spare();

  std::byte* memory_;
};

/// Where a suspended stack continues, or where a new one begins.
class context {
 public:
  context() = default;
  context(const context&) = delete;
  context& operator=(const context&) = delete;
  ~context() = default;

  /// The next switch to this context calls `entry(argument)` on `on`. `entry` must not return.
  void begin_on(const stack& on, void (*entry)(void*), void* argument) noexcept;
  /// Suspends the caller in `*this` and continues in `to`.
  void switch_to(context& to) noexcept;

 private:
  void enter() noexcept;

  std::jmp_buf registers_{};
  const stack* on_ = nullptr;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  // For AddressSanitizer.
  const void* bottom_ = nullptr;
  std::size_t size_ = 0;
  [[maybe_unused]] void* fake_stack_ = nullptr;
};

}  // namespace tare::sim::detail
