// The lower bound: a request only costs reading its bytes and sending a response.

#define _GNU_SOURCE  // NOLINT(bugprone-reserved-identifier,readability-identifier-naming): the name that libc asks for

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char answer[] =
    "HTTP/1.1 200 OK\r\n"
    "content-type: text/plain\r\n"
    "content-length: 13\r\n"
    "\r\n"
    "Hello, world!";

static void fail(const char* what) {
  fputs("epoll-c: ", stderr);
  perror(what);
  exit(1);  // NOLINT(concurrency-mt-unsafe): there is one thread
}

static int listen_on(unsigned short port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (struct sockaddr*)&address, sizeof address) != 0) fail("bind");
  if (listen(fd, 4096) != 0) fail("listen");
  socklen_t size = sizeof address;
  if (getsockname(fd, (struct sockaddr*)&address, &size) != 0) fail("getsockname");
  printf("listening on %d\nREADY\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static void accept_all(int epoll, int listening) {
  for (;;) {
    const int client = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    const int on = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = client};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, client, &event) != 0) close(client);
  }
}

static void serve(int client) {
  char buffer[8192];
  const ssize_t got = read(client, buffer, sizeof buffer);
  if (got > 0) {
    if (write(client, answer, sizeof answer - 1) == (ssize_t)(sizeof answer - 1)) return;
  } else if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  close(client);
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s PORT\n", argv[0]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  const int listening = listen_on((unsigned short)strtoul(argv[1], NULL, 10));
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) fail("epoll_create1");
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listening};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event) != 0) fail("epoll_ctl");
  for (;;) {
    struct epoll_event events[256];
    const int ready = epoll_wait(epoll, events, 256, -1);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < ready; ++i) {
      if (events[i].data.fd == listening) {
        accept_all(epoll, listening);
      } else {
        serve(events[i].data.fd);
      }
    }
  }
}
