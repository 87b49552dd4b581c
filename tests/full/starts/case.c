/* One program that starts, or does not, in the way that its first argument names. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int is(const char *mode, const char *name) { return strcmp(mode, name) == 0; }

/* Listens on all of IPv4, on loopback, or on all of IPv6 and nothing else. */
static int listens(const char *mode, int port) {
    int six = is(mode, "six"), one = 1;
    int s = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 b = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    a.sin_addr.s_addr = htonl(is(mode, "loopback") ? INADDR_LOOPBACK : INADDR_ANY);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (six) setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(s, six ? (void *)&b : (void *)&a, six ? sizeof b : sizeof a) || listen(s, 64)) {
        fprintf(stderr, "bind: %s\n", strerror(errno));
        exit(1);
    }
    return s;
}

static void answer(const char *mode, int c) {
    char asked[2048], text[256];
    int version = is(mode, "old") ? 0 : 1, status = atoi(mode);
    if (read(c, asked, sizeof asked) <= 0) return;
    snprintf(text, sizeof text, "HTTP/1.%d %d Said\r\nLocation: /login\r\nX-Slow: yes\r\n%s\r\n", version,
             status ? status : 200, is(mode, "open") ? "Transfer-Encoding: chunked\r\n" : "");
    for (char *at = text; *at; at++) {
        if (write(c, at, 1) != 1) return;
        if (is(mode, "drips") && *at == '\n') usleep(500000);
    }
    /* A body without an end, on a connection that nobody closes. */
    if (is(mode, "open")) write(c, "2\r\nok\r\n", 7);
    else close(c);
}

int main(int count, char **words) {
    const char *mode = count > 1 ? words[1] : "", *port = getenv("PORT");
    /* The first process of a container is not ended by what it does not handle. */
    signal(SIGTERM, _exit);
    fprintf(stderr, "this is %s\n", mode);
    if (is(mode, "ends")) return 0;
    if (is(mode, "crashes")) {
        sleep(5);
        fprintf(stderr, "KeyError: 'SHOP_TOKEN'\n");
        return 1;
    }
    if (is(mode, "writes") && open("/srv/cache.pid", O_CREAT | O_WRONLY, 0600) < 0) {
        fprintf(stderr, "cannot write /srv/cache.pid: %s\n", strerror(errno));
        return 1;
    }
    if (is(mode, "hog"))
        for (;;) memset(malloc(1 << 20), 1, 1 << 20);
    if (is(mode, "slow")) sleep(15);
    int s = listens(mode, atoi(port ? port : "8080") + (is(mode, "elsewhere") ? 1000 : 0));
    for (;;) {
        int c = accept(s, NULL, NULL);
        if (c >= 0) answer(mode, c);
    }
}
