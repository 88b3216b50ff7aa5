$ns_ at 0.0 "$g(0) begin"
