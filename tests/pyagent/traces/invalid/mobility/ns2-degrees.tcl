$node_(0) set X_ 13.4050
$node_(0) set Y_ 52.5200
$ns_ at 0.0 "$node_(0) setdest 13.4062 52.5201 12.5"
$ns_ at 10.0 "$node_(0) setdest 13.4075 52.5203 13.1"
$ns_ at 20.0 "$node_(0) setdest 13.4080 52.5204 9.0"
