#include <tare/net/idle.hpp>

#include "io/reactor.hpp"

namespace tare::net {

std::size_t expire_idle(std::size_t most) noexcept {
  tare::detail::reactor* const here = tare::detail::reactor::if_any();
  return here == nullptr ? 0 : here->deadlines().expire_first(most);
}

}  // namespace tare::net
