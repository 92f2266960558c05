// Coroutines that a compiler does not describe completely: lambdas in functions, members of local classes, templates on
// lambdas, functions of one name in two units. The line of a declaration is marked "coroutine NAME", that of an await
// "await NAME". Compiled with PART=1 and PART=2 it is the two units of a program; without, one unit.

#include "forms.hpp"

#include <string>

#ifndef PART
#define PART 0
#endif

namespace forms {

struct options {
  int size = 0;
};

static auto in_variable = [](int n) -> task {  // coroutine variable
  co_await event{};                            // await variable
  use(&n);
  if (n == 7) co_await event{};  // await variable
};

static task of_unit(int n) {  // coroutine of_unit
  std::string text(static_cast<std::size_t>(n), 'x');
  co_await event{};  // await of_unit
  use(&text);
  co_await event{};  // await of_unit
}

template <class F>
task with_function(F f) {  // coroutine template
  while (!f()) {
    co_await event{};  // await template
    co_await event{};  // await template
  }
}

static task around(int n) {  // coroutine around
  // The awaits of the lambda are its own, even if it is awaited immediately.
  auto inner = [](int k, long twice) -> task {  // coroutine inner
    co_await event{};                           // await inner
    use(&k);
    co_await event{};  // await inner
    use(&twice);
    co_await event{};  // await inner
  };
  auto started = inner(n, n);
  started.handle.resume();
  use(&started);
  co_await event{};  // await around
  use(&n);
}

static task with_default(int n, options o = {}) {  // coroutine default
  co_await event{};                                // await default
  use(&n);
  co_await event{};  // await default
  use(&o);
}

template <class T>
static task required(T value)  // coroutine required
  requires requires { value + 1; } && (sizeof(T) > 1)
{
  co_await event{};  // await required
  use(&value);
  co_await event{};  // await required
}

static final_task<true> terminates(int n) {  // coroutine terminates
  char buffer[100];
  use(buffer);
  co_await event{};  // await terminates
  use(&buffer[n]);
}

static final_task<false> fails(int n) {  // coroutine fails
  char buffer[100];
  use(buffer);
  co_await event{};  // await fails
  use(&buffer[n]);
  if (n == 3) co_await event{};  // await fails
}

static detached unattended(int n) {  // coroutine unattended
  co_await event{};                  // await unattended
  use(&n);
  co_await event{};  // await unattended
}

static pooled from_pool(int first, long second) {  // coroutine from_pool
  co_await event{};                                // await from_pool
  use(&first);
  use(&second);
  co_await event{};  // await from_pool
}

template <class T>
static const T* has_lambda(T value) {
  auto inside = [](T k) -> task {  // coroutine in_template
    co_await event{};              // await in_template
    use(&k);
    co_await event{};  // await in_template
  };
  auto started = inside(value);
  started.handle.resume();
  use(&started);
  return nullptr;
}

template <class T>
task on_local_type(T kept) {  // coroutine on_local_type
  co_await event{};           // await on_local_type
  use(&kept);
  co_await event{};  // await on_local_type
}

static task member_of_local_class(int n) {  // coroutine member_maker
  struct local_class {
    int kept = 3;
    task member(int k) {  // coroutine member
      co_await event{};   // await member
      use(&kept);
      if (k == 7) co_await event{};  // await member
    }
  } object;
  auto one = object.member(n);
  auto two = on_local_type(object);
  one.handle.resume();
  two.handle.resume();
  use(&one);
  use(&two);
  co_await event{};  // await member_maker
  use(&object);
}

#if PART == 2
#define START start_second
#else
#define START start_first
#endif

void START(int n);
void START(int n) {
  auto local = [](int k) -> task {  // coroutine local
    co_await event{};               // await local
    if (k == 7) co_await event{};   // await local
  };
  auto generic = [](auto k, auto with) -> task {  // coroutine generic
    co_await event{};                             // await generic
    use(&k);
    co_await event{};  // await generic
    use(&with);
  };
  use(has_lambda(n));
  const auto run = [](auto started) {
    started.handle.resume();
    use(&started);
  };
  run(local(n));
  run(generic(n, 2L));
  run(in_variable(n));
  run(of_unit(n));
  run(with_function([n] { return ask() || n == 9; }));
  run(around(n));
  run(with_default(n));
  run(required(n));
  run(terminates(n));
  run(fails(n));
  run(unattended(n));
  run(from_pool(n, 3L));
  run(member_of_local_class(n));
  run(in_both_units(n));
}

}  // namespace forms
