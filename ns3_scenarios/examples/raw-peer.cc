/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * Bare ZeroMQ, as a yardstick: a REQ socket that sends BYTES bytes and waits for the answer, until
 * an empty one comes.
 *
 *   raw-peer ENDPOINT BYTES
 */
#include <cstdlib>
#include <iostream>
#include <string>
#include <zmq.h>

int
main(int argc, char* argv[])
{
    if (argc != 3)
    {
        std::cerr << "usage: raw-peer ENDPOINT BYTES" << std::endl;
        return 2;
    }
    const std::string message(std::strtoul(argv[2], nullptr, 10), 'x');
    char answer[4096];
    constexpr int TIMEOUT_MS = 10000;
    void* context = zmq_ctx_new();
    void* socket = zmq_socket(context, ZMQ_REQ);
    int linger = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger));
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &TIMEOUT_MS, sizeof(TIMEOUT_MS));
    if (zmq_connect(socket, argv[1]) != 0)
    {
        std::cerr << "raw-peer: can't connect to " << argv[1] << std::endl;
        return 2;
    }
    int received = 1;
    while (received > 0)
    {
        zmq_send(socket, message.data(), message.size(), 0);
        received = zmq_recv(socket, answer, sizeof(answer), 0);
    }
    zmq_close(socket);
    zmq_ctx_term(context);
    return received == 0 ? 0 : 1;
}
