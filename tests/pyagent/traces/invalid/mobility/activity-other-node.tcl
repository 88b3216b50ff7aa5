$ns_ at 0.0 "$g(0) start"
$ns_ at 0.0 "$g(7) start"
