// Tasks whose promises say in as many ways as libraries have found who goes on after them. None of these ways is a
// std::coroutine_handle<> of a telling name.

#include "announced.hpp"

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

volatile unsigned long sink = 0;

struct park {
  static bool await_ready() noexcept { return false; }
  static void await_suspend(std::coroutine_handle<>) noexcept {}
  static void await_resume() noexcept {}
};

/// What all promises have.
struct basic_promise {
  static std::suspend_always initial_suspend() noexcept { return {}; }
  static std::suspend_always final_suspend() noexcept { return {}; }
  static void return_void() noexcept {}
  [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
};

/// A task that tells its child who waits by a `Link`, which is a part of the child's promise; a `slot` of it lies in
/// the frame that waits.
template <class Link>
struct task {
  struct promise_type : basic_promise, Link {
    task get_return_object() { return task(std::coroutine_handle<promise_type>::from_promise(*this)); }
  };
  struct awaiter {
    std::coroutine_handle<promise_type> child;
    typename Link::slot slot{};
    static bool await_ready() noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> waiting) noexcept {
      child.promise().attach(waiting, waiting.promise(), slot);
      return child;
    }
    static void await_resume() noexcept {}
  };

  explicit task(std::coroutine_handle<promise_type> its_frame) : frame(its_frame) {}
  task(task&& other) noexcept : frame(std::exchange(other.frame, nullptr)) {}
  ~task() {
    if (frame) frame.destroy();
  }
  awaiter operator co_await() const& noexcept { return {frame}; }

  std::coroutine_handle<promise_type> frame;
};

/// The address of the frame that waits, without a type, behind other addresses.
struct untyped {
  struct slot {};
  const volatile void* allocator = &sink;
  void* up = nullptr;
  void attach(std::coroutine_handle<> waiting, untyped&, slot&) { up = waiting.address(); }
};

/// The address of a handle in the awaiter.
struct to_handle {
  struct slot {
    unsigned long priority = 0;
    std::coroutine_handle<> handle;
  };
  std::coroutine_handle<>* group = nullptr;
  void attach(std::coroutine_handle<> waiting, to_handle&, slot& here) {
    here.handle = waiting;
    group = &here.handle;
  }
};

/// A handle to something in the awaiter that looks like a frame.
struct synthetic {
  struct slot {
    void (*resume)(slot*) = [](slot* self) { self->handle.resume(); };
    void (*destroy)(slot*) = [](slot* self) { self->handle.destroy(); };
    std::coroutine_handle<> handle;
  };
  std::coroutine_handle<> after;
  void attach(std::coroutine_handle<> waiting, synthetic&, slot& here) {
    here.handle = waiting;
    after = std::coroutine_handle<>::from_address(&here);
  }
};

/// A number: the address of a part of the promise that waits, and a mark in its last bits.
struct tagged {
  struct slot {};
  unsigned long references = 1;
  std::atomic<std::uintptr_t> callback{1};
  void attach(std::coroutine_handle<>, tagged& waiting, slot&) {
    callback = reinterpret_cast<std::uintptr_t>(&waiting.callback) | 1U;
  }
};

/// The address of where the value is to go.
struct receiver {
  struct slot {
    void* awaited_from = nullptr;
    int value = 0;
  };
  slot* to = nullptr;
  void attach(std::coroutine_handle<> waiting, receiver&, slot& here) {
    here.awaited_from = waiting.address();
    to = &here;
  }
};

/// Handles both ways: from all above to the lowest one, too.
struct both_ways {
  struct slot {};
  std::coroutine_handle<> lowest;
  std::coroutine_handle<> up;
  both_ways* above = nullptr;
  void attach(std::coroutine_handle<> waiting, both_ways& its, slot&) {
    up = waiting;
    above = &its;
  }
  void is_lowest(std::coroutine_handle<> self) {
    for (auto* at = above; at != nullptr; at = at->above) at->lowest = self;
  }
};

template <class Link>
task<Link> leaf(unsigned long number) {
  co_await park{};
  sink = sink + number;
}

struct say_lowest {
  static bool await_ready() noexcept { return false; }
  static void await_suspend(std::coroutine_handle<task<both_ways>::promise_type> self) {
    self.promise().is_lowest(self);
  }
  static void await_resume() noexcept {}
};

template <>
task<both_ways> leaf<both_ways>(unsigned long number) {
  co_await say_lowest{};
  sink = sink + number;
}

template <class Link>
task<Link> lower(unsigned long number) {
  co_await leaf<Link>(number);
  sink = sink + number;
}

template <class Link>
task<Link> upper(unsigned long number) {
  co_await lower<Link>(number);
  sink = sink + number;
}

template <class Link>
task<Link> root(unsigned long number) {
  co_await upper<Link>(number);
  sink = sink + number;
}

/// Several at once: they count down what lies in the awaiter of whoever waits for all of them.
struct latch {
  std::atomic<long> open{0};
  std::coroutine_handle<> waiting;
};

struct counted {
  struct slot {};
  latch* done = nullptr;
  void attach(std::coroutine_handle<>, counted&, slot&) {}
};

struct all_of {
  std::vector<task<counted>> tasks;
  latch done{};
  static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    done.waiting = waiting;
    done.open = static_cast<long>(tasks.size());
    for (auto& one : tasks) {
      one.frame.promise().done = &done;
      one.frame.resume();
    }
  }
  static void await_resume() noexcept {}
};

task<counted> gather(unsigned long number) {
  std::vector<task<counted>> three;
  for (int i = 0; i < 3; ++i) three.push_back(leaf<counted>(number));
  co_await all_of{std::move(three)};
  sink = sink + number;
}

/// Several at once that share a state on the heap: it has the handle of the frame that waits for all of them, behind
/// its references. All of them know the scheduler, too, which knows one of them.
struct scheduler {
  std::vector<void*> queue;
  std::coroutine_handle<> last{};
};
scheduler the_scheduler;

struct shared_state {
  std::atomic<long> references{1};
  std::atomic<long> open{0};
  std::coroutine_handle<> waiting;
};

struct in_heap {
  struct slot {};
  scheduler* runs_on = &the_scheduler;
  shared_state* state = nullptr;
  void attach(std::coroutine_handle<>, in_heap&, slot&) {}
};

struct all_in_heap {
  std::vector<task<in_heap>> tasks;
  std::unique_ptr<shared_state> state = std::make_unique<shared_state>();
  static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    state->waiting = waiting;
    state->open = static_cast<long>(tasks.size());
    for (auto& one : tasks) {
      one.frame.promise().state = state.get();
      one.frame.resume();
      the_scheduler.last = one.frame;
    }
  }
  static void await_resume() noexcept {}
};

task<in_heap> collect(unsigned long number) {
  std::vector<task<in_heap>> two;
  for (int i = 0; i < 2; ++i) two.push_back(leaf<in_heap>(number));
  co_await all_in_heap{std::move(two)};
  sink = sink + number;
}

/// One that several wait for: a list of their awaiters.
struct shared {
  struct slot {
    slot* next = nullptr;
    std::coroutine_handle<> handle;
  };
  std::atomic<slot*> waiting{nullptr};
  void attach(std::coroutine_handle<> who, shared&, slot& here) {
    here.handle = who;
    here.next = waiting.exchange(&here);
  }
};

task<shared> waits_for_shared(const task<shared>& common) {
  co_await common;
  sink = sink + 1;
}

/// Frames that wait for nobody, in a list of all.
struct listed {
  struct slot {};
  listed* next = nullptr;
  listed* previous = nullptr;
  void attach(std::coroutine_handle<>, listed&, slot&) {}
};

task<listed> sibling(unsigned long number) {
  co_await park{};
  sink = sink + number;
}

/// A generator of generators as cppcoro has it: one member leads up, of the root down to the lowest.
struct tree {
  struct promise_type {
    promise_type* root = this;
    promise_type* parent_or_leaf = this;
    unsigned long value = 0;
    tree get_return_object() { return tree(std::coroutine_handle<promise_type>::from_promise(*this)); }
    static std::suspend_always initial_suspend() noexcept { return {}; }
    static std::suspend_always final_suspend() noexcept { return {}; }
    static void return_void() noexcept {}
    [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
    std::suspend_always yield_value(unsigned long number) noexcept {
      value = number;
      return {};
    }
    auto yield_value(tree&& below) noexcept {
      auto& its = below.frame.promise();
      its.root = root;
      root->parent_or_leaf = &its;
      its.parent_or_leaf = this;
      struct keep {
        tree held;
        static bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<>) noexcept { return held.frame; }
        static void await_resume() noexcept {}
      };
      return keep{std::move(below)};
    }
  };
  explicit tree(std::coroutine_handle<promise_type> its_frame) : frame(its_frame) {}
  tree(tree&& other) noexcept : frame(std::exchange(other.frame, nullptr)) {}
  ~tree() {
    if (frame) frame.destroy();
  }
  std::coroutine_handle<promise_type> frame;
};

tree branch(unsigned long depth) {
  co_yield depth;
  if (depth > 0) co_yield branch(depth - 1);
  co_yield depth;
}

template <class Task>
void start(std::vector<std::shared_ptr<Task>>& into, Task one) {
  one.frame.resume();
  into.push_back(std::make_shared<Task>(std::move(one)));
}

template <class Link>
std::vector<std::shared_ptr<task<Link>>> roots(unsigned long count) {
  std::vector<std::shared_ptr<task<Link>>> all;
  for (unsigned long i = 0; i < count; ++i) start(all, root<Link>(i));
  return all;
}

int main(int argc, char** argv) {
  const unsigned long n = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 200;
  const auto one = roots<untyped>(n);
  const auto two = roots<to_handle>(n);
  const auto three = roots<synthetic>(n);
  const auto four = roots<tagged>(n);
  const auto five = roots<receiver>(n);
  const auto six = roots<both_ways>(n);
  std::vector<std::shared_ptr<task<counted>>> gathers;
  for (unsigned long i = 0; i < n; ++i) start(gathers, gather(i));
  std::vector<std::shared_ptr<task<in_heap>>> collections;
  for (unsigned long i = 0; i < n; ++i) start(collections, collect(i));
  std::vector<std::unique_ptr<task<shared>>> commons;
  std::vector<std::shared_ptr<task<shared>>> waiters;
  for (unsigned long i = 0; i < n; ++i) {
    commons.push_back(std::make_unique<task<shared>>(leaf<shared>(i)));
    start(waiters, waits_for_shared(*commons.back()));
    start(waiters, waits_for_shared(*commons.back()));
  }
  std::vector<std::shared_ptr<task<listed>>> siblings;
  for (unsigned long i = 0; i < n; ++i) start(siblings, sibling(i));
  for (unsigned long i = 0; i < n; ++i) {
    siblings[i]->frame.promise().next = &siblings[(i + 1) % n]->frame.promise();
    siblings[(i + 1) % n]->frame.promise().previous = &siblings[i]->frame.promise();
  }
  std::vector<std::shared_ptr<tree>> trees;
  for (unsigned long i = 0; i < n; ++i) {
    start(trees, branch(3));
    for (int step = 0; step < 3; ++step) {
      auto* const lowest = trees.back()->frame.promise().parent_or_leaf;
      std::coroutine_handle<tree::promise_type>::from_promise(*lowest).resume();
    }
  }
  announce_and_wait({{"each", n}});
}
