#include <tare/task.hpp>

#include <mutex>

tare::task<std::mutex> make() { co_return {}; }
