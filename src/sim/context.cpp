#include "sim/context.hpp"

#include "sim/sanitized.hpp"

#include <sys/mman.h>
#include <ucontext.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(TARE_SIM_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

namespace tare::sim::detail {

namespace {

context* arriving = nullptr;  ///< the context that is being switched to
context* leaving = nullptr;

}  // namespace

std::vector<std::byte*>& stack::spare() {
  static auto& kept = *new std::vector<std::byte*>;  // never freed: stacks may outlive static objects
  return kept;
}

stack::stack() {
  if (!spare().empty()) {
    memory_ = spare().back();
    spare().pop_back();
    return;
  }
  void* const mapped = ::mmap(nullptr, guard_bytes + bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (mapped == MAP_FAILED || ::mprotect(mapped, guard_bytes, PROT_NONE) != 0) throw std::bad_alloc();
  memory_ = static_cast<std::byte*>(mapped);
}

stack::~stack() {
#if defined(TARE_SIM_ASAN)
  __asan_unpoison_memory_region(bottom(), bytes);
#endif
  spare().push_back(memory_);
}

void stack::abandon() const noexcept {
#if defined(TARE_SIM_ASAN)
  __lsan_register_root_region(bottom(), bytes);
#endif
}

void context::begin_on(const stack& on, void (*entry)(void*), void* argument) noexcept {
  on_ = &on;
  entry_ = entry;
  argument_ = argument;
  bottom_ = on.bottom();
  size_ = stack::bytes;
}

void context::switch_to(context& to) noexcept {
  leaving = this;
  arriving = &to;
#if defined(TARE_SIM_ASAN)
  __sanitizer_start_switch_fiber(&fake_stack_, to.bottom_, to.size_);
#endif
  if (_setjmp(registers_) == 0) {
    if (to.entry_ != nullptr) to.enter();
    _longjmp(to.registers_, 1);
  }
#if defined(TARE_SIM_ASAN)
  // The first switch from the main stack tells where that is.
  __sanitizer_finish_switch_fiber(arriving->fake_stack_, &leaving->bottom_, &leaving->size_);
#endif
}

void context::enter() noexcept {
  static ucontext_t fresh;  // not on the stack, which is left in the middle of this function
  if (::getcontext(&fresh) != 0) std::abort();
  fresh.uc_stack.ss_sp = on_->bottom();
  fresh.uc_stack.ss_size = stack::bytes;
  fresh.uc_link = nullptr;
  ::makecontext(&fresh, static_cast<void (*)()>([] {
    context& self = *arriving;
#if defined(TARE_SIM_ASAN)
    __sanitizer_finish_switch_fiber(nullptr, &leaving->bottom_, &leaving->size_);
#endif
    void (*const entry)(void*) = self.entry_;
    self.entry_ = nullptr;
    entry(self.argument_);
    std::abort();
  }),
                0);
  (void)::setcontext(&fresh);
  std::abort();
}

}  // namespace tare::sim::detail
